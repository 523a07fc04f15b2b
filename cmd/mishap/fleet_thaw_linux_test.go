package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// frozen is a fleet of two whose first server is frozen. What it had in, a mark that
// anybody could take for another's and one that bears its injection's id, the second
// has reverted, and has put in the same again.
type frozen struct {
	*fleet
	first, second *member
	mark, token   string // injections of the first server
}

func newFrozen(t *testing.T) *frozen {
	if testing.Short() {
		t.Skip("SKIPPED: -short")
	}
	f := &frozen{fleet: markedFleet(t, fleetOptions{servers: 2, mortal: 1, experiments: 3}, func(i int) (string, string) { return []string{"mark", "token", "mark"}[i], "30m}]\n" })}
	f.first, f.second = f.servers[0], f.servers[1]
	f.allIn(f.servers[:1], 2, f.marked)
	f.mark, f.token = f.target.left()["k000"], f.target.left()["k001"]
	if err := f.first.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	f.until(2*fleetLease, "the second server has reverted them", func() bool { return len(f.target.left()) == 0 && f.settled() })
	f.allIn(f.servers[1:], 2, f.marked)
	return f
}

func (f *frozen) thaw() {
	if err := f.first.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		f.t.Fatal(err)
	}
}

// said reports whether the first server's log has the text.
func (f *frozen) said(text string) bool {
	log, err := os.ReadFile(filepath.Join(f.first.state, "log"))
	return err == nil && strings.Contains(string(log), text)
}

// over waits until the first server is done with what it had before its freeze: it
// starts something else under a new lease.
func (f *frozen) over() {
	f.t.Helper()
	asked := false
	f.until(time.Minute, "the thawed server has a new lease, and its new run injects", func() bool {
		if f.target.left()["k002"] != "" {
			return true
		}
		if !asked || !f.underWay("e002") { // one that was asked for before it knew that its lease is over is refused
			status, _ := f.first.call("POST", "/v1/runs", `{"experiment": "e002"}`)
			asked = status == http.StatusAccepted
		}
		return false
	})
}

func TestAThawedServerTakesNothingOutOfAnotherServersRun(t *testing.T) {
	t.Parallel()
	f := newFrozen(t)
	in, before, token := f.target.left(), f.target.revertsOf(f.mark), f.target.revertsOf(f.token)
	f.thaw()
	f.over()
	if now := f.target.left(); now["k000"] != in["k000"] || now["k001"] != in["k001"] {
		t.Errorf("of the second server %v was in, and is %v", in, now)
	}
	if n := f.target.revertsOf(f.mark) - before; n != 0 {
		t.Errorf("the thawed server has reverted what others may have put in, %d times", n)
	}
	if f.target.revertsOf(f.token) == token {
		t.Error("the thawed server has not reverted what bears its own injection's id")
	}
	f.halt()
}

// Without an answer of the ledger in five seconds a thawed server reverts what bears
// its own injection's id, and leaves the rest to the new owner.
func TestAThawedServerWithoutALedgerRevertsWhatBearsItsOwnID(t *testing.T) {
	t.Parallel()
	f := newFrozen(t)
	before, token := f.target.revertsOf(f.mark), f.target.revertsOf(f.token)
	f.pg.Freeze()
	f.thaw()
	f.until(30*time.Second, "what bears the id of its injection is reverted", func() bool { return f.target.revertsOf(f.token) > token })
	f.until(30*time.Second, "the rest is left to its owner", func() bool { return f.said("left to who owns the run now") })
	if n := f.target.revertsOf(f.mark) - before; n != 0 {
		t.Errorf("it has reverted what others may have put in, %d times", n)
	}
	f.pg.Thaw()
	f.over()
	if n := f.target.revertsOf(f.mark) - before; n != 0 {
		t.Errorf("it has reverted what others may have put in when the ledger was back, %d times", n)
	}
	if status, text := f.second.call("PUT", "/v1/halt", fmt.Sprintf(`{"reason": %q}`, "the end")); status != http.StatusOK {
		t.Fatalf("halt: %d %s", status, text)
	}
	f.until(30*time.Second, "everything is out", func() bool { return len(f.target.left()) == 0 && f.settled() })
	f.audit()
}
