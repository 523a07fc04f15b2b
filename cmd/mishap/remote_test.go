package main

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mishap/internal/socket"
)

// between is a proxy in front of a server. It answers with the trouble that is
// next for a path, and passes on once there is none left.
type between struct {
	pass    http.Handler
	mu      sync.Mutex
	trouble map[string][]string // by method and the last part of the path
	met     []string
	dead    bool   // from now on nothing is answered
	over    string // a file that is written when no trouble is left
}

func (b *between) next(key string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dead {
		return "gone"
	}
	all := b.trouble[key]
	if len(all) == 0 {
		return ""
	}
	b.trouble[key] = all[1:]
	b.met = append(b.met, key+" "+all[0])
	if !slices.ContainsFunc(slices.Collect(maps.Values(b.trouble)), func(left []string) bool { return len(left) > 0 }) {
		_ = os.WriteFile(b.over, nil, 0o600)
	}
	if all[0] == "dies" {
		b.dead = true
		return "gone"
	}
	return all[0]
}

func (b *between) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch b.next(r.Method + " " + r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]) {
	case "429":
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	case "503":
		w.WriteHeader(http.StatusServiceUnavailable)
	case "drop": // before the server sees it
		panic(http.ErrAbortHandler)
	case "lose": // the server acts, and its answer is lost
		b.pass.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	case "cut": // of a stream, after a while
		ctx, cancel := context.WithTimeout(r.Context(), 500*time.Millisecond)
		defer cancel()
		b.pass.ServeHTTP(w, r.WithContext(ctx))
		panic(http.ErrAbortHandler)
	case "gone":
		w.WriteHeader(http.StatusUnauthorized) // the token has expired: nothing gets better
	default:
		b.pass.ServeHTTP(w, r)
	}
}

// served starts a real server of an experiment, with a proxy in front. The fault can
// be reverted when no trouble is left.
func served(t *testing.T) *between {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	write("mishap.yaml", "allow: {commands: [touch, rm, test, 'true', \"test -e over && rm -f calm\"]}\n")
	write("experiments/calm.yaml", `version: 1
name: calm
claim: It works.
steadyState: [{name: up, probe: exec, with: {argv: ["true"]}}]
faults:
  - name: f
    injector: exec
    with: {inject: [touch, calm], revert: {shell: "test -e over && rm -f calm"}, verify: [test, -e, calm], diesWith: boot}
    for: 3s
blastRadius: {targets: 1}
`)
	for _, args := range [][]string{{"init", "-q"}, {"add", "experiments"}, {"-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "x"}} {
		if out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).CombinedOutput(); err != nil {
			t.Skipf("SKIPPED: git %v: %s", err, out)
		}
	}
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	m := &member{state: filepath.Join(t.TempDir(), "s")}
	m.cmd = programOf(path, nil, "serve", "--experiments", "experiments", "--listen", "none", "--state", m.state)
	m.cmd.Dir = dir
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.cmd.Process.Signal(syscall.SIGTERM); _ = m.cmd.Wait() })
	for {
		if status, text := m.call("GET", "/v1/experiments/calm", ""); status == http.StatusOK {
			break
		} else if m.cmd.ProcessState != nil {
			t.Fatal(text)
		}
		time.Sleep(20 * time.Millisecond)
	}
	to := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "mishap"})
	to.FlushInterval = -1
	to.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return socket.Dial(ctx, filepath.Join(m.state, "servers", "api.sock"))
	}}
	return &between{pass: to, trouble: map[string][]string{}, over: filepath.Join(dir, "over")}
}

// remotely runs an experiment through the proxy, and gives what it says and its
// exit code.
func remotely(t *testing.T, b *between) (string, int) {
	t.Helper()
	front := httptest.NewServer(b)
	defer front.Close()
	cmd := program(nil, "--server", front.URL, "run", "calm")
	out, _ := cmd.CombinedOutput()
	return string(out), cmd.ProcessState.ExitCode()
}

func TestARunIsFollowedThroughTroubleOnTheWay(t *testing.T) {
	b := served(t)
	out, code := "", 0
	for try := range tries {
		if try > 0 && !hurried(out) {
			break
		}
		b.met, b.trouble = nil, map[string][]string{
			"POST runs":   {"429", "503", "lose"},
			"GET journal": {"429", "503", "drop"},
			"GET events":  {"drop", "429", "cut", "503", "cut"},
		}
		_ = os.Remove(b.over)
		out, code = remotely(t, b)
	}
	if code != 0 || !strings.Contains(out, "held") {
		t.Errorf("exit %d:\n%s", code, out)
	}
	if n := strings.Count(strings.Join(b.met, "\n"), "\n") + 1; n < 11 {
		t.Errorf("only this was met: %q", b.met)
	}
}

func TestALostServerIsStillInOnlyIfAFaultMayBe(t *testing.T) {
	b := served(t)
	if err := os.WriteFile(b.over, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b.trouble["POST runs"] = []string{"dies"}
	if out, code := remotely(t, b); code != 5 {
		t.Errorf("nothing was started: exit %d:\n%s", code, out)
	}
	b.dead = false
	b.trouble["GET journal"] = []string{"503", "503", "503", "dies"}
	b.trouble["GET events"] = []string{"cut", "cut", "cut", "cut", "cut", "cut", "cut", "cut"}
	if out, code := remotely(t, b); code != 6 || !strings.Contains(out, "mishap abort") {
		t.Errorf("a run was started and never seen to end: exit %d:\n%s", code, out)
	}
}
