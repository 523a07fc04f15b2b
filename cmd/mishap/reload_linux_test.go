package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mishap/internal/freeport"
	"mishap/internal/httpapi/apitest"
)

// reloading is a server whose settings change, and whoever asks it.
type reloading struct {
	*stage
	server  *started
	address string
}

// settings writes them with these tokens, and more lines.
func (r *reloading) settings(more string, tokens ...string) {
	text := "allow: {commands: ['true', touch, test, rm], env: []}\n" + more + "tokens:\n"
	for _, one := range tokens {
		name, role, _ := strings.Cut(one, " ")
		text += fmt.Sprintf("  - {name: %s, role: %s, hash: %q}\n", name, role, apitest.HashOf(name))
	}
	r.write("mishap.yaml", text)
}

func (r *reloading) reload(says ...string) {
	r.t.Helper()
	r.server.signal(syscall.SIGHUP)
	for _, text := range says {
		r.server.says(text)
	}
}

// ask is a request with somebody's token, and its status.
func (r *reloading) ask(who, method, path, body string) int {
	r.t.Helper()
	return r.open(who, method, path, body, true).StatusCode
}

func (r *reloading) open(who, method, path, body string, read bool) *http.Response {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, "http://"+r.address+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+who)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	if read {
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
	}
	return res
}

// stream follows what happens until it is cut off.
func (r *reloading) stream(res *http.Response) (ended <-chan struct{}) {
	r.t.Helper()
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		r.t.Fatalf("no stream: %s", res.Status)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		defer res.Body.Close()
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		}
	}()
	return over
}

func startReloading(t *testing.T) *reloading {
	t.Helper()
	r := &reloading{stage: newStage(t), address: freeport.Address()}
	if err := os.MkdirAll(filepath.Join(r.dir, "experiments"), 0o700); err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(fmt.Sprintf(flagFile, `"true"`, "10m"), `{shell: "test -e go && rm -f flag"}`, "[rm, -f, flag]", 1)
	r.write("experiments/flag.yaml", text)
	r.settings("sources: [{name: s, folder: experiments, allowDirty: true}]\nlisten: "+r.address+"\n", "ann admin", "bob viewer", "cyd approver")
	r.server = r.mishap("serve").begin()
	await(t, "the server is ready", func() bool {
		res, err := http.Get("http://" + r.address + "/readyz")
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	return r
}

// Somebody whose token is taken out is out at once, wherever they are, and nobody else notices.
func TestAReloadTakesOverWhatItCanAndDisturbsNoRun(t *testing.T) {
	t.Parallel()
	r := startReloading(t)
	if got := r.ask("ann", "POST", "/v1/runs", `{"experiment": "flag-file"}`); got != http.StatusAccepted {
		t.Fatalf("the run does not start: %d", got)
	}
	await(t, "the flag is there", func() bool { return r.is("flag") })
	jar, _ := cookiejar.New(nil)
	browser := &http.Client{Jar: jar}
	page := func(path string) *http.Response {
		t.Helper()
		res, err := browser.Get("http://" + r.address + path)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	in, err := browser.PostForm("http://"+r.address+"/signin", url.Values{"token": {"bob"}})
	if err != nil || in.Request.URL.Path != "/" {
		t.Fatalf("bob cannot sign in: %v", err)
	}
	_ = in.Body.Close()
	events, live, others := r.stream(r.open("bob", "GET", "/v1/events", "", false)), r.stream(page("/live")), r.stream(r.open("ann", "GET", "/v1/events", "", false))
	if bob, dan := r.ask("bob", "GET", "/v1/runs", ""), r.ask("dan", "GET", "/v1/runs", ""); bob != 200 || dan != 401 {
		t.Errorf("bob is answered %d, dan %d", bob, dan)
	}

	more := "sources: [{name: s, folder: experiments, allowDirty: true}]\nlisten: 127.0.0.1:1\npublicURL: https://mishap.example\n"
	r.settings(more, "ann admin", "cyd viewer", "dan operator")
	r.reload("reload: settings taken over", "publicURL (mishap.yaml:4), tokens (mishap.yaml:5)", "reload: settings that need a restart are as they were", "listen (mishap.yaml:3): the address is open")
	<-events
	<-live
	res := page("/")
	_ = res.Body.Close()
	if bob, dan := r.ask("bob", "GET", "/v1/runs", ""), r.ask("dan", "GET", "/v1/runs", ""); bob != 401 || dan != 200 || res.Request.URL.Path != "/signin" {
		t.Errorf("bob is answered %d, dan %d, the page of bob %s", bob, dan, res.Request.URL)
	}
	if got := r.ask("cyd", "POST", "/v1/approvals", `{"experiment": "flag-file", "digest": "x", "reason": "y"}`); got != http.StatusForbidden {
		t.Errorf("a viewer approves: %d", got)
	}

	// What is wrong changes nothing, and is said at once, all of it.
	r.write("mishap.yaml", "tokens: [{name: eve, role: king, hash: x}]\nkept: 1\ngovernor: {window: {hours: late}, runs: -1}\n")
	r.reload("reload: settings stay as they were", "mishap.yaml:1:28: tokens: token 1 needs a role", "token 1 needs a hash", `mishap.yaml:2:1: unknown key \"kept\"`, "mishap.yaml:3:11: governor: runs and targets")
	r.settings(more+"notify: [{name: n, kind: slack, url: {env: NOT_SET}}]\ngovernor: {window: {hours: late}}\nnotices: {digest: {cron: never}}\n", "eve admin")
	r.reload("mishap.yaml:5:", "mishap.yaml:6:20: governor: window", "mishap.yaml:7:19: notices: digest")
	if eve, dan := r.ask("eve", "GET", "/v1/runs", ""), r.ask("dan", "GET", "/v1/runs", ""); eve != 401 || dan != 200 {
		t.Errorf("eve is answered %d, dan %d", eve, dan)
	}
	r.settings(strings.Replace(more, "127.0.0.1:1", r.address, 1), "ann admin", "cyd viewer", "dan operator")
	r.reload("reload: no setting has changed")

	select {
	case <-others:
		t.Error("the stream of somebody else was cut off")
	default:
	}
	if !r.is("flag") || strings.Contains(r.server.err.String(), "run ends") {
		t.Errorf("the run was disturbed: %s", r.server.err.String())
	}
	if got := r.ask("dan", "POST", "/v1/runs/last/abort", `{"reason": "enough"}`); got != 200 {
		t.Errorf("dan cannot abort: %d", got)
	}
	r.reverted()
	acts := r.open("ann", "GET", "/v1/audit", "", false)
	text, _ := io.ReadAll(acts.Body)
	_ = acts.Body.Close()
	for _, want := range []string{"reload: took over publicURL (mishap.yaml:4), tokens (mishap.yaml:5); needs a restart: listen (mishap.yaml:3)", "reload: settings stay as they were: mishap.yaml:"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the audit does not have %q:\n%s", want, text)
		}
	}
	r.server.signal(syscall.SIGTERM)
	r.server.ends(0)
}
