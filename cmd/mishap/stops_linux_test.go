package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// TestStopsOfAHost runs the scripts about all ledgers of a host.
func TestStopsOfAHost(t *testing.T) {
	files, err := filepath.Glob("testdata/host/*.txtar")
	if err != nil || files == nil {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			if inside(t, syscall.CLONE_NEWNET) {
				p := scripts()
				p.Files = []string{file}
				testscript.Run(t, p)
			}
		})
	}
}

// lockWrites holds the lock of SQLite that a writer holds (WAL_WRITE_LOCK, byte 120 of
// the index of the log), until the function is called.
func (s *stage) lockWrites() (unlock func()) {
	s.t.Helper()
	index, err := os.OpenFile(filepath.Join(s.dir, "state", "ledger.db-shm"), os.O_RDWR, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: 0, Start: 120, Len: 1}
	for end := time.Now().Add(3 * time.Minute); ; time.Sleep(time.Millisecond) {
		if err = unix.FcntlFlock(index.Fd(), unix.F_SETLK, &lock); err == nil || time.Now().After(end) {
			break
		}
	}
	if err != nil {
		s.t.Fatal("take the lock:", err)
	}
	return func() { _ = index.Close() }
}

// TestHaltRevertsWhileTheLedgerIsLocked: the brake needs no ledger.
func TestHaltRevertsWhileTheLedgerIsLocked(t *testing.T) {
	s := newStage(t)
	run := s.holding(s.mishap("run", "flag.yaml"))
	unlock := s.lockWrites()
	halt := s.mishap("halt", "--reason", "incident")
	err := halt.Run()
	if code := halt.ProcessState.ExitCode(); code != 1 {
		t.Errorf("halt of a locked ledger: %d, %v\n%s", code, err, halt.err.String())
	}
	if said := halt.out.String(); strings.Contains(said, "halted:") || !strings.Contains(said, "1 run told to stop") {
		t.Errorf("it says %q", said)
	}
	if said := halt.err.String(); !strings.Contains(said, "halt is not written") || !strings.Contains(said, "revert 1 run;") {
		t.Errorf("it says %q", said)
	}
	if s.is("flag") {
		t.Error("the fault is in although the server was asked")
	}
	unlock()
	_ = run.Wait()
}

// TestAbortOfALockedLedgerSaysThatTheRunReverts: the run says so itself, and the
// ledger, which knows nothing of it yet, is not asked.
func TestAbortOfALockedLedgerSaysThatTheRunReverts(t *testing.T) {
	s := newStage(t)
	run := s.holding(s.mishap("run", "flag.yaml"))
	unlock := s.lockWrites()
	s.mishap("abort", "last").begin().ends(0)
	s.outWhileLocked(unlock)
	_ = run.Wait()
}

// TestAServerThatDoesNotAnswerIsNamed freezes the process of a run.
func TestAServerThatDoesNotAnswerIsNamed(t *testing.T) {
	s := newStage(t)
	run := s.holding(s.mishap("run", "flag.yaml"))
	run.signal(syscall.SIGSTOP)
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"abort", "last"}, 6, "it belongs to server"},
		{[]string{"halt"}, 1, "it does not answer"},
	} {
		stop := s.mishap(c.args...)
		stop.begin().ends(c.code)
		if said := stop.err.String(); !strings.Contains(said, c.says) || stop.out.String() != "" && c.code == 6 || strings.Contains(stop.out.String(), "halted:") {
			t.Errorf("%v says %q %q", c.args, stop.out.String(), said)
		}
	}
	run.signal(syscall.SIGCONT)
	_ = run.Wait()
	s.reverted()
}
