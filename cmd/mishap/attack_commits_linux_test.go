package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mishap/internal/gittest"
)

// besieged is a server that is attacked, and how long it took to answer somebody else.
type besieged struct {
	*started
	api     *member
	slowest chan time.Duration
	stop    chan struct{}
}

const pause = 20 * time.Millisecond

// besiege starts the server of a stage, and asks it again and again meanwhile.
func besiege(s *stage) *besieged {
	s.t.Helper()
	b := &besieged{started: s.mishap("serve"), api: &member{state: filepath.Join(s.dir, "state")}, slowest: make(chan time.Duration, 1), stop: make(chan struct{})}
	b.Env = bounded(b.Env)
	b.begin()
	await(s.t, "the server answers", func() bool {
		status, _ := b.api.call("GET", "/readyz", "")
		if status != http.StatusOK && b.gone() {
			s.t.Fatalf("the server is gone\n%.4000s", b.err.String())
		}
		return status == http.StatusOK
	})
	go func() {
		var most time.Duration
		for {
			slept := time.Now()
			select {
			case <-b.stop:
				b.slowest <- most
				return
			case <-time.After(pause):
			}
			asked := time.Now()
			b.api.call("GET", "/v1/halt", "")
			// What this process itself was late is the machine's and not the server's.
			most = max(most, time.Since(asked)-max(0, asked.Sub(slept)-pause))
		}
	}()
	return b
}

// end asks it to stop, whatever it does, and says how long that and an answer took.
func (b *besieged) end() (took, slowest time.Duration) {
	b.t.Helper()
	close(b.stop)
	slowest = <-b.slowest
	asked := time.Now()
	b.signal(syscall.SIGTERM)
	gone := make(chan error, 1)
	go func() { gone <- b.Wait() }()
	select {
	case <-gone:
	case <-time.After(2 * time.Minute):
		b.t.Fatalf("SIGTERM was not obeyed\n%s", b.err.String())
	}
	if code := b.ProcessState.ExitCode(); code != 0 {
		b.t.Errorf("it ended with %s\n%.4000s", b.ProcessState, b.err.String())
	}
	return time.Since(asked), slowest
}

// No commit brings a server down, fills its memory, keeps it from answering, or from
// ending while it is looked at; and the commit after it is in force.
func TestNoCommitBringsTheServerDown(t *testing.T) {
	a := newAttack(t)
	git, s := gittest.Serve(t), newStage(t)
	s.write("mishap.yaml", fmt.Sprintf("state: %s\nallow: {commands: [touch, rm, test, \"true\"]}\nsources: [{name: x, repository: %q, path: chaos, poll: 1h}]\n", filepath.Join(s.dir, "state"), git.URL))
	git.Push(good(0))
	b := besiege(s)
	var longest, ending, answer time.Duration
	var what string
	held := 0
	for n := range a.pushes {
		kind := hostileCommits[n%len(hostileCommits)]
		r := &gittest.Repo{}
		kind.make(a.dice(n), r, a.full)
		began := time.Now()
		git.Push(r)
		b.api.call("POST", "/v1/sources/x/refresh", "")
		await(t, kind.name+" is looked at", func() bool { return git.Asked() > 0 || b.gone() })
		if n%20 == 19 {
			held = max(held, within256(t, kind.name, b.Process.Pid))
			took, slow := b.end()
			ending, answer = max(ending, took), max(answer, slow)
			b = besiege(s)
		}
		next := good(n + 1)
		git.Push(next)
		b.inForce(kind.name, next.Commit.String())
		if took := time.Since(began); took > longest {
			longest, what = took, kind.name
		}
		held = max(held, within256(t, fmt.Sprintf("%s, commit %d of seed %d", kind.name, n, a.seed), b.Process.Pid))
	}
	took, slow := b.end()
	ending, answer = max(ending, took), max(answer, slow)
	t.Logf("%d commits: most memory %s, longest until the commit after it was in force %s (%s), longest until SIGTERM was obeyed %s, slowest answer meanwhile %s",
		a.pushes, mib(held), longest.Round(time.Millisecond), what, ending.Round(time.Millisecond), answer.Round(time.Millisecond))
	if a.full && (ending > time.Second || answer > 5*time.Second) { // far less on a machine that has nothing else to do, see docs/measured.md
		t.Error("that hangs")
	}
}

// gone reports whether the process has ended, though nobody has waited for it.
func (b *besieged) gone() bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", b.Process.Pid))
	return err != nil || strings.Contains(string(text), ") Z ")
}

// inForce waits until a commit is.
func (b *besieged) inForce(after, commit string) {
	b.t.Helper()
	var text string
	await(b.t, "after "+after+" the next commit is in force", func() bool {
		b.api.call("POST", "/v1/sources/x/refresh", "")
		_, text = b.api.call("GET", "/v1/sources", "")
		var sources []struct{ Commit, Problem string }
		if json.Unmarshal([]byte(text), &sources) != nil {
			if b.gone() {
				b.t.Fatalf("after %s the server is gone\n%.4000s", after, b.err.String())
			}
			return false
		}
		time.Sleep(10 * time.Millisecond)
		return len(sources) == 1 && sources[0].Commit == commit && sources[0].Problem == ""
	})
}

// experiment is one that is valid.
func experiment(name string) string {
	return fmt.Sprintf(flagFile, `"true"`, "1s") + "schedule: {cron: \"@yearly\"}\n# " + name + "\n"
}

// good is a commit with one experiment.
func good(n int) *gittest.Repo {
	r := &gittest.Repo{}
	text := strings.Replace(experiment("good"), "flag-file", fmt.Sprintf("good-%d", n), 1)
	chaos(r, gittest.Entry{Mode: gittest.File, Name: "a.yaml", Of: r.Blob(text)})
	return r
}

// chaos commits a folder of experiments.
func chaos(r *gittest.Repo, entries ...gittest.Entry) {
	r.CommitTree(r.Tree(gittest.Entry{Mode: gittest.Dir, Name: "chaos", Of: r.Tree(entries...)}))
}
