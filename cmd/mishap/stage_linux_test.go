package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// stage is a folder with an experiment whose fault is a file, "flag". Reverting
// it needs another file, "go", which is there unless a test takes it away.
type stage struct {
	t   *testing.T
	dir string
}

const flagFile = `version: 1
name: flag-file
claim: Nothing minds the flag file.
steadyState:
  - {name: fine, probe: exec, with: {argv: [%s]}, every: 50ms}
faults:
  - name: flag
    injector: exec
    with: {inject: [touch, flag], revert: {shell: "test -e go && rm -f flag"}, verify: [test, -e, flag], diesWith: boot}
    for: %s
blastRadius: {targets: 1}
recovery: {within: 2m}
`

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, dir: t.TempDir()}
	leaveNobody(t, s.dir)
	s.write("go", "")
	s.experiment(`"true"`, "10m")
	return s
}

func (s *stage) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// experiment writes flag.yaml with this probe, and the fault in for so long.
func (s *stage) experiment(argv, long string) {
	s.write("flag.yaml", fmt.Sprintf(flagFile, argv, long))
}

// is reports whether a file is there.
func (s *stage) is(name string) bool {
	_, err := os.Stat(filepath.Join(s.dir, name))
	return err == nil
}

// started is a process of this program.
type started struct {
	*exec.Cmd
	t        *testing.T
	out, err lines
}

// mishap makes a command of this program that is killed at the end of the test.
func (s *stage) mishap(args ...string) *started {
	c := &started{Cmd: program([]string{"MISHAP_STATE=" + filepath.Join(s.dir, "state")}, args...), t: s.t}
	c.Dir, c.Stdout, c.Stderr = s.dir, &c.out, &c.err
	return c
}

// begin starts it.
func (c *started) begin() *started {
	c.t.Helper()
	if err := c.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	return c
}

// ends waits for its end and wants this exit code.
func (c *started) ends(code int) {
	c.t.Helper()
	_ = c.Wait()
	if got := c.ProcessState.ExitCode(); got != code {
		c.t.Errorf("%v: %s, want exit %d\n%s%s", c.Args[1:], c.ProcessState, code, c.out.String(), c.err.String())
	}
}

// runs makes a run and wants this exit code; one that was hurried is made again.
func (s *stage) runs(code int, command func() *started) *started {
	s.t.Helper()
	c := command().begin()
	for range tries {
		_ = c.Wait()
		report := s.mishap("report", "last")
		if c.ProcessState.ExitCode() == code || report.Run() != nil || !hurried(report.out.String()) {
			break
		}
		c = command().begin()
	}
	c.ends(code)
	return c
}

// signal sends it signals.
func (c *started) signal(all ...syscall.Signal) {
	c.t.Helper()
	for _, s := range all {
		if err := c.Process.Signal(s); err != nil {
			c.t.Fatal(err)
		}
	}
}

// says waits until it has said something.
func (c *started) says(text string) {
	c.t.Helper()
	await(c.t, text, func() bool { return strings.Contains(c.err.String()+c.out.String(), text) })
}

// await waits until something is so; a test that hangs says what for.
func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Minute); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it did not come to this: %s", what)
		}
	}
}

// keepers are the keepers of this stage.
func (s *stage) keepers() []int { return keepersIn(s.dir) }

// holding starts the run and waits until its fault is in.
func (s *stage) holding(c *started) *started {
	s.t.Helper()
	c.begin()
	await(s.t, "the flag is there", func() bool { return s.is("flag") })
	return c
}

// reverted wants nothing left.
func (s *stage) reverted() {
	s.t.Helper()
	await(s.t, "the keeper has ended", func() bool { return len(s.keepers()) == 0 })
	if s.is("flag") {
		s.t.Error("the flag is still there")
	}
}

// unread is a pipe that is full and that nobody reads.
func unread(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	raw, err := w.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var full error
	if err := raw.Write(func(fd uintptr) bool { // which does not block before a process has it
		for full == nil {
			_, full = syscall.Write(int(fd), make([]byte, 4096))
		}
		return true
	}); err != nil || full != syscall.EAGAIN {
		t.Fatal(err, full)
	}
	return w
}

// unreadable is a pipe whose reader is gone.
func unreadable(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	t.Cleanup(func() { _ = w.Close() })
	return w
}
