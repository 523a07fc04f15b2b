package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mishap/internal/freeport"
	"mishap/internal/notify"
)

const (
	hookSecret  = "a secret of the git server"
	tellSecret  = "a secret of the receiver"
	viewerToken = "mishap_viewer"
)

// company is everything around a server that is real here too: a git server that
// is pushed to over HTTP, somebody who is told, and a Prometheus that scrapes.
type company struct {
	t        *testing.T
	dir      string
	git      *httptest.Server
	told     *httptest.Server
	mu       sync.Mutex
	messages []notify.Message
	listen   string
}

func newCompany(t *testing.T) *company {
	t.Helper()
	c := &company{t: t, dir: t.TempDir()}
	path, err := exec.Command("git", "--exec-path").Output()
	backend := filepath.Join(strings.TrimSpace(string(path)), "git-http-backend")
	if _, missing := os.Stat(backend); err != nil || missing != nil {
		t.Skip("SKIPPED: no git-http-backend")
	}
	c.run("git", "init", "-q", "--bare", "-b", "main", "up.git")
	c.git = httptest.NewServer(&cgi.Handler{Path: backend, Env: []string{"GIT_PROJECT_ROOT=" + c.dir, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=ann"}})
	t.Cleanup(c.git.Close)
	c.told = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		var m notify.Message
		if err := notify.Verify(tellSecret, r.Header, text, time.Now(), time.Hour); err != nil || json.Unmarshal(text, &m) != nil {
			t.Errorf("a message is not signed, or not one: %v: %s", err, text)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.messages = append(c.messages, m)
	}))
	t.Cleanup(c.told.Close)
	c.listen = freeport.Address()
	return c
}

func (c *company) run(name string, args ...string) string {
	c.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", isProgram,
		"GIT_AUTHOR_NAME=ann", "GIT_AUTHOR_EMAIL=ann@example.com", "GIT_COMMITTER_NAME=ann", "GIT_COMMITTER_EMAIL=ann@example.com")
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (c *company) write(name, text string) {
	c.t.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// background starts a program that ends with the test.
func (c *company) background(name string, env []string, args ...string) {
	c.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = c.dir, append(os.Environ(), env...)
	out, err := os.Create(filepath.Join(c.dir, filepath.Base(name)+".log"))
	if err != nil {
		c.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := startLocked(cmd); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait(); _ = out.Close() })
}

// push commits the work tree and pushes it over HTTP; then the git server calls
// the hook.
func (c *company) push(message string) (commit string) {
	c.t.Helper()
	c.run("git", "-C", "work", "add", "-A")
	c.run("git", "-C", "work", "commit", "-q", "-m", message)
	c.run("git", "-C", "work", "push", "-q", c.git.URL+"/up.git", "HEAD:main")
	return c.run("git", "-C", "work", "rev-parse", "HEAD")
}

func (c *company) callHook() {
	c.t.Helper()
	body := []byte(`{"ref": "refs/heads/main"}`)
	sum := hmac.New(sha256.New, []byte(hookSecret))
	sum.Write(body)
	req, _ := http.NewRequestWithContext(c.t.Context(), "POST", "http://"+c.listen+"/hooks/refresh", bytes.NewReader(body))
	req.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(sum.Sum(nil)))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		c.t.Fatalf("the hook answers %s", resp.Status)
	}
}

// until waits for something that a text says.
func (c *company) until(what string, ask func() string, wanted ...string) string {
	c.t.Helper()
	text := ""
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		text = ask()
		all := true
		for _, w := range wanted {
			all = all && strings.Contains(text, w)
		}
		if all {
			return text
		}
	}
	log, _ := os.ReadFile(filepath.Join(c.dir, "mishap.log"))
	c.t.Fatalf("%s does not say %q:\n%s\nlog:\n%s", what, wanted, text, log)
	return ""
}

func (c *company) get(address, token string) string {
	req, _ := http.NewRequestWithContext(c.t.Context(), "GET", address, nil)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return string(text)
}

// A merged file runs on exactly its commit, and status, report, /metrics,
// Prometheus and the webhook all say the same of it.
func TestAMergedFileRunsAndEverybodySaysTheSame(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256([]byte(viewerToken))
	c.write("hook", hookSecret)
	c.write("tell", tellSecret)
	c.write("url", c.told.URL)
	c.write("mishap.yaml", fmt.Sprintf(`state: state
listen: %s
sources: [{name: team, repository: "%s/up.git", ref: main, path: chaos, poll: 1h}]
webhook: {secret: {file: hook}}
notify: [{name: log, kind: webhook, url: {file: url}, secret: {file: tell}}]
tokens: [{name: prometheus, role: viewer, hash: "sha256:%s"}]
allow: {commands: [touch, rm, test, "true"]}
`, c.listen, c.git.URL, hex.EncodeToString(hash[:])))
	c.run("git", "init", "-q", "-b", "main", "work")
	c.write("work/chaos/none.txt", "nothing yet")
	c.push("start")
	link := filepath.Join(c.dir, "mishap")
	if err := os.Symlink(program, link); err != nil {
		t.Fatal(err)
	}
	c.background(link, []string{isProgram}, "serve", "--config", "mishap.yaml")
	c.until("readyz", func() string { return c.get("http://"+c.listen+"/readyz", "") }, "ready\n")

	c.write("work/chaos/tick.yaml", `version: 1
name: tick
claim: It works.
owner: team
steadyState: [{name: up, probe: exec, with: {argv: ["true"]}, every: 500ms}]
faults: [{name: f, injector: exec, with: {inject: [touch, flag], revert: [rm, -f, flag], verify: [test, -e, flag], diesWith: boot}, for: 5s}]
blastRadius: {targets: 1}
`)
	commit := c.push("add tick")
	c.callHook()
	status := func() string { return c.run(link, "--config", "mishap.yaml", "status") }
	c.until("status", status, "commit "+commit[:12], "revision 2")
	m := member{state: filepath.Join(c.dir, "state")}
	await(t, "it starts, once it is in force", func() bool {
		code, _ := m.call("POST", "/v1/runs", `{"experiment": "tick"}`)
		return code == http.StatusAccepted
	})
	c.until("status", status, "tick", "completed", "held")
	c.until("report", func() string { return c.run(link, "--config", "mishap.yaml", "report", "last") }, "HELD", commit[:12], "chaos/tick.yaml")
	held := `mishap_last_verdict{experiment="tick",verdict="held"} 1`
	c.until("/metrics", func() string { return c.get("http://"+c.listen+"/metrics", viewerToken) }, held, `mishap_runs_ended_total{verdict="held"} 1`)
	c.until("the webhook", func() string {
		c.mu.Lock()
		defer c.mu.Unlock()
		text, _ := json.Marshal(c.messages)
		return string(text)
	}, `"event":"started"`, `"event":"ended"`, `"verdict":"held"`, `"commit":"`+commit+`"`)
	c.prometheus()
	c.broken(status)
}

// prometheus scrapes the server, and evaluates the alerts that we ship.
func (c *company) prometheus() {
	c.t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		c.t.Log("SKIPPED in part: no prometheus")
		return
	}
	rules, err := filepath.Abs("../../deploy/prometheus/alerts.yaml")
	if err != nil {
		c.t.Fatal(err)
	}
	c.write("prometheus.yml", fmt.Sprintf(`global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [%s]
scrape_configs:
  - job_name: mishap
    authorization: {credentials: %s}
    static_configs: [{targets: ["%s"]}]
`, rules, viewerToken, c.listen))
	at := freeport.Address()
	c.background(program, nil, "--config.file=prometheus.yml", "--storage.tsdb.path=tsdb", "--web.listen-address="+at)
	query := func(q string) func() string {
		return func() string { return c.get("http://"+at+"/api/v1/query?query="+url.QueryEscape(q), "") }
	}
	c.until("Prometheus", query(`mishap_last_verdict{verdict="held"}`), `"experiment":"tick"`, `"1"]`)
	c.until("Prometheus", query(`up{job="mishap"}`), `"1"]`)
	answer := c.until("its rules", func() string { return c.get("http://"+at+"/api/v1/rules", "") }, `"health":"ok"`, "MishapInjectionStranded")
	if strings.Contains(answer, `"health":"err"`) {
		c.t.Errorf("an alert cannot be evaluated: %s", answer)
	}
}

// broken pushes a file that is not valid: the last good tree stays in force, and
// everybody says so.
func (c *company) broken(status func() string) {
	c.t.Helper()
	c.write("work/chaos/broken.yaml", "version: 2\n")
	c.push("break it")
	c.callHook()
	c.until("status", status, "BROKEN", " chaos/broken.yaml:1:10", "revision 2")
	c.until("/metrics", func() string { return c.get("http://"+c.listen+"/metrics", viewerToken) }, `mishap_source_broken{source="team"} 1`)
	c.until("the webhook", func() string {
		c.mu.Lock()
		defer c.mu.Unlock()
		return string(c.messages[len(c.messages)-1].Event)
	}, string(notify.TreeBroken))
}
