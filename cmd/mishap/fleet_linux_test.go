package main

import (
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The death of a server leaves no fault behind: others revert what it had in
// force, within its lease and two seconds.
func TestAKilledServersFaultsAreRevertedByTheOthers(t *testing.T) {
	experiments := 30
	if testing.Short() {
		t.Skip("SKIPPED: -short")
	}
	if n, err := strconv.Atoi(os.Getenv("MISHAP_FLEET_RUNS")); err == nil {
		experiments = n
	}
	f := newFleet(t, 3, 1, experiments)
	asked := f.allIn(f.servers, experiments, f.marked)
	f.kill(f.servers[0])
	took := f.until(fleetLease+2*time.Second, "the dead server's faults are out", func() bool {
		for key := range f.target.left() {
			if asked[key] == 0 {
				return false
			}
		}
		return true
	})
	t.Logf("%d faults of a killed server were out after %s (lease %s)", experiments/3, took.Round(time.Millisecond), fleetLease)
	if left := len(f.target.left()); left != experiments-(experiments+2)/3 {
		t.Errorf("%d faults of the other servers are in", left)
	}
	f.halt()
}

// Halt ends everything at once, on all servers.
func TestHaltRevertsWhatIsInForceOnAllServers(t *testing.T) {
	experiments := 30
	if testing.Short() {
		t.Skip("SKIPPED: -short")
	}
	if n, err := strconv.Atoi(os.Getenv("MISHAP_FLEET_RUNS")); err == nil {
		experiments = n
	}
	f := newFleet(t, 3, 0, experiments)
	f.allIn(f.servers, experiments, f.marked)
	f.halt()
	if status, text := f.servers[0].call("POST", "/v1/runs", `{"experiment": "e000"}`); status != http.StatusConflict || !strings.Contains(text, "halted") {
		t.Errorf("a run begins after halt: %d %s", status, text)
	}
}

// halt ends everything wherever it is, and says how long that took.
func (f *fleet) halt() {
	f.t.Helper()
	n := len(f.target.left())
	began := time.Now()
	if status, text := f.servers[1].call("PUT", "/v1/halt", `{"reason": "test"}`); status != http.StatusOK {
		f.t.Fatalf("halt: %d %s", status, text)
	}
	f.until(20*time.Second, "everything is out after halt", func() bool { return len(f.target.left()) == 0 })
	took := time.Since(began)
	f.target.mu.Lock()
	last := f.target.reverted.Sub(began)
	f.target.mu.Unlock()
	f.t.Logf("halt of %d faults: last revert begun after %s, everything out after %s", n, last.Round(time.Millisecond), took.Round(time.Millisecond))
	f.until(30*time.Second, "every run has ended", f.settled)
	f.audit()
}
