package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"mishap"
	"mishap/internal/ledger"
)

// unfinished says which runs are active, and what their servers say.
func (f *fleet) unfinished() string {
	book, err := ledger.OpenPostgres(f.t.Context(), f.address, fleetLease)
	if err != nil {
		return err.Error()
	}
	defer book.Close()
	var out strings.Builder
	active, err := book.Unfinished(f.t.Context())
	for _, r := range active {
		alive, _ := book.Alive(f.t.Context(), r.Server)
		fmt.Fprintf(&out, "\n%s of %s is %s, fence %d, server %s, which is alive: %v", r.ID, r.Experiment, r.State, r.Fence, r.Server, alive)
	}
	for _, m := range f.servers {
		if keep := os.Getenv("MISHAP_FLEET_LOGS"); keep != "" && m.cmd.ProcessState == nil {
			_ = m.cmd.Process.Signal(syscall.SIGQUIT) // a dump of all goroutines
			_ = m.cmd.Wait()
			text, _ := os.ReadFile(filepath.Join(m.state, "log"))
			_ = os.WriteFile(filepath.Join(keep, filepath.Base(m.state)+".log"), text, 0o600)
		}
		text, _ := os.ReadFile(filepath.Join(m.state, "log"))
		lines := strings.Split(string(text), "\n")
		fmt.Fprintf(&out, "\n--- %s\n%s", filepath.Base(m.state), strings.Join(lines[max(0, len(lines)-25):], "\n"))
	}
	return fmt.Sprint(out.String(), err)
}

// settled reports whether no run is active any more.
func (f *fleet) settled() bool {
	active, err := f.notOver()
	return err == nil && len(active) == 0
}

// underWay reports whether a run of the experiment may not be over.
func (f *fleet) underWay(experiment string) bool {
	active, err := f.notOver()
	return err != nil || slices.ContainsFunc(active, func(r ledger.Record) bool { return r.Experiment == experiment })
}

func (f *fleet) notOver() ([]ledger.Record, error) {
	book, err := ledger.OpenPostgres(f.t.Context(), f.address, fleetLease)
	if err != nil {
		return nil, err
	}
	defer book.Close()
	return book.Unfinished(f.t.Context())
}

// audit checks the ledger and the target, not the logs: nothing left, nothing
// done twice, every journal whole, every run ended.
func (f *fleet) audit() (runs int) {
	f.t.Helper()
	if left := f.target.left(); len(left) > 0 {
		f.t.Errorf("%d marks are left: %v", len(left), left)
	}
	if twice := f.target.twice(); twice != nil {
		f.t.Errorf("injected more than once: %v", twice)
	}
	if foreign := f.target.met(); foreign != nil {
		f.t.Errorf("reverts met what another run had put in: %v", foreign)
	}
	book, err := ledger.OpenPostgres(f.t.Context(), f.address, fleetLease)
	if err != nil {
		f.t.Fatal(err)
	}
	defer book.Close()
	all, err := book.Runs(f.t.Context(), 100_000)
	if err != nil {
		f.t.Fatal(err)
	}
	f.ticks(all)
	for _, r := range all {
		entries, err := book.Entries(f.t.Context(), r.ID)
		if err != nil {
			f.t.Fatal(err)
		}
		run, err := mishap.Replay(entries)
		switch {
		case err != nil:
			f.t.Errorf("journal of run %s: %v", r.ID, err)
		case r.Active() || !run.State.Ended() || len(run.Outstanding()) > 0:
			f.t.Errorf("run %s is %s in its row and %s in its journal", r.ID, r.State, run.State)
		}
	}
	return len(all)
}

// ticks checks that every minute of a schedule, from the first that was dealt with
// to the last, was dealt with once.
func (f *fleet) ticks(all []ledger.Record) {
	f.t.Helper()
	times := map[string]map[time.Time]int{}
	for _, r := range all {
		if r.Tick.IsZero() {
			continue
		}
		if times[r.Experiment] == nil {
			times[r.Experiment] = map[time.Time]int{}
		}
		times[r.Experiment][r.Tick.UTC()]++
	}
	for experiment, seen := range times {
		at := slices.SortedFunc(maps.Keys(seen), time.Time.Compare)
		for next := at[0]; !next.After(at[len(at)-1]); next = next.Add(time.Minute) {
			if seen[next] != 1 {
				f.t.Errorf("%s: the time %s was dealt with %d times", experiment, next.Format(time.RFC3339), seen[next])
			}
		}
	}
}
