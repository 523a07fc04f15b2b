//go:build unix

package probes_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mishap"
)

func sh(script string) object { return object{"argv": []string{"sh", "-c", script}} }

func TestExecJudgesTheCommand(t *testing.T) {
	for _, c := range []struct {
		script string
		expect any
		result mishap.Result
		value  string
		detail string
	}{
		{"true", nil, mishap.Met, "exit 0 in ", ""},
		{"echo oh no >&2; exit 3", nil, mishap.Unmet, "exit 3 in ", `exit 3, expected 0, it said "oh no"`},
		{"exit 3", object{"exit": 3}, mishap.Met, "exit 3", ""},
		{"exit 3", object{"exit": []int{0, 3}}, mishap.Met, "exit 3", ""},
		{"exit 3", object{"exit": []int{0, 1}}, mishap.Unmet, "exit 3", "exit 3, expected 0 or 1"},
		{"kill -TERM $$", nil, mishap.Unmet, "signal: terminated", "signal: terminated, expected 0"},
		{"echo PONG", object{"stdout": "PONG", "stdoutMatches": "^P"}, mishap.Met, "", ""},
		{"echo PANG", object{"stdout": "PONG"}, mishap.Unmet, "", `output does not contain "PONG", it begins "PANG"`},
		{"echo 12", object{"value": ">= 10"}, mishap.Met, "12, exit 0 in ", ""},
		{"echo 9", object{"value": ">= 10"}, mishap.Unmet, "9, exit 0", "output is 9, expected >= 10"},
		{"echo nine", object{"value": ">= 10"}, mishap.Unmeasured, "exit 0", `output is not a number: "nine"`},
		{"true", object{"latency": "< 0s"}, mishap.Unmet, "", "latency "},
		{"head -c 100000 /dev/zero; echo end", object{"stdout": "end"}, mishap.Unmeasured, "exit 0", "only its beginning"},
	} {
		o := observe(t, "exec", sh(c.script), c.expect)
		want(t, o, c.result, c.detail)
		if !strings.Contains(o.Value, c.value) {
			t.Errorf("%s: value %q, want %q", c.script, o.Value, c.value)
		}
	}
}

func TestExecKeepsOnlySoMuchOutput(t *testing.T) {
	// 65536 zero bytes are kept; a longer run of them would mean more.
	o := observe(t, "exec", sh("head -c 200000 /dev/zero"), object{"stdoutMatches": `^\x00*$`})
	want(t, o, mishap.Met, "")
	o = observe(t, "exec", sh("head -c 65536 /dev/zero; printf x"), object{"stdout": "x"})
	want(t, o, mishap.Unmeasured, "only its beginning")
}

func TestExecGivesWhatItIsTold(t *testing.T) {
	dir := t.TempDir()
	with := object{"argv": []string{"sh", "-c", `echo "$A $(cat) $(pwd)"`}, "env": object{"A": object{"env": "TOKEN"}}, "stdin": "in", "dir": dir}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	want(t, observe(t, "exec", with, object{"stdout": "hunter2-is-long in " + real}), mishap.Met, "")
}

func TestCommandsThatCannotStartAreUnknown(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, with := range []object{{"argv": []string{"no-such-command"}}, {"argv": []string{plain}}, {"argv": []string{"true"}, "dir": "/no/such"}} {
		want(t, observe(t, "exec", with, nil), mishap.Unmeasured, "start command: ")
	}
}

// gone waits until no process has the PID that the file holds.
func gone(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid < 2 {
		t.Fatalf("%q is not a PID", text)
	}
	t.Cleanup(func() {
		if t.Failed() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	for deadline := time.Now().Add(patience); !dead(pid); {
		if time.Now().After(deadline) {
			t.Fatalf("the child %d is still there", pid)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// dead also counts a child that was killed and that nobody has waited for yet.
func dead(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return true
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && strings.Contains(string(stat), ") Z ")
}

func TestTheTimeoutKillsTheWholeProcessGroup(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	written := errors.New("not yet")
	for limit := 100 * time.Millisecond; written != nil; limit *= 2 { // a busy machine may not have started the child by then
		o := observeFor(t, "exec", sh("sleep 600 & echo $! > "+file+".new; mv "+file+".new "+file+"; wait"), nil, limit)
		want(t, o, mishap.Unmet, fmt.Sprintf("not done within %s", limit))
		_, written = os.Stat(file)
	}
	gone(t, file)
}

func TestChildrenThatHoldTheOutputDoNotHoldTheProbe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	o := observe(t, "exec", sh("sleep 600 & echo $! > "+file+"; echo done"), object{"stdout": "done"})
	want(t, o, mishap.Met, "")
	gone(t, file)
}

func TestExecRefusesWhatCannotBe(t *testing.T) {
	wantProblems(t, "exec", object{}, nil, "with.argv")
	wantProblems(t, "exec", object{"argv": []string{""}, "env": object{"A=B": "x"}}, nil, "with.argv", "with.env.A=B")
	wantProblems(t, "exec", object{"argv": "ls"}, object{"exit": "0"}, "with.argv", "expect.exit")
	for _, exit := range []any{-1, 256, 1.5, []int{}, []any{0, "x"}, true} {
		wantProblems(t, "exec", sh("true"), object{"exit": exit}, "expect.exit")
	}
	wantProblems(t, "exec", sh("true"), object{"value": "10", "stdoutMatches": "(", "latency": "< 1"}, "expect.value", "expect.stdoutMatches", "expect.latency")
}
