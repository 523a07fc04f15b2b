package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"mishap/internal/ledger"
	"mishap/internal/pgtest"
)

// failover is a fleet on a primary and a streaming standby, whose servers are given
// the addresses of both; each of its experiments is due every minute.
type failover struct {
	*fleet
	primary, standby *pgtest.Server
	runs             int
}

// failovers is how many runs go on; `make attack-fleet` sets it higher.
func failovers() int {
	if n, err := strconv.Atoi(os.Getenv("MISHAP_FAILOVER")); err == nil {
		return n
	}
	return few
}

const few = 12

func newFailover(t *testing.T, synchronous bool) *failover {
	if testing.Short() {
		t.Skip("SKIPPED: -short")
	}
	t.Parallel()
	runs := failovers()
	spread := time.Duration(4+runs/15) * time.Second // over which the runs of a minute begin
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	primary := startPostgres(t)
	standby, err := primary.Standby(ctx, synchronous)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(standby.Stop)
	w := newWall(t)
	o := fleetOptions{servers: 3, mortal: 3, experiments: runs, env: []string{w.env()}, pg: primary, address: pgtest.URLs("postgres", primary, standby)}
	o.settings = "revertWithin: 5m\n"
	left := time.Minute - time.Duration(time.Now().UnixNano())%time.Minute
	w.jump(left - 5*time.Second) // the first minute is over when the servers are up
	f := markedFleet(t, o, func(int) (string, string) {
		return "mark", fmt.Sprintf("%s}]\nschedule: {cron: '* * * * *', timezone: UTC, jitter: %s, missed: all}\n", spread, spread)
	})
	return &failover{f, primary, standby, runs}
}

// injectedSince waits until that many more injections were made.
func (f *failover) injectedSince(before, more int) {
	f.t.Helper()
	f.until(time.Minute, fmt.Sprintf("%d more faults are in", more), func() bool { return f.target.injections() >= before+more })
}

// over lets the minute's runs end, and checks what is left of them.
func (f *failover) over() {
	f.t.Helper()
	if f.runs > few { // some wait for as long as another server may plan them
		f.until(2*time.Minute, "every experiment had its turn", func() bool { return f.dealt() >= f.runs })
	}
	f.until(time.Minute, "what was lost is taken over", func() bool { return len(f.target.left()) == 0 && f.settled() })
	f.until(time.Minute, "halt", func() bool {
		status, _ := f.servers[0].call("PUT", "/v1/halt", `{"reason": "the end"}`)
		return status == 200
	})
	f.until(time.Minute, "everything is out and over", func() bool { return len(f.target.left()) == 0 && f.settled() })
	f.audit()
}

// dealt counts the times of schedules that the ledger has dealt with.
func (f *failover) dealt() (n int) {
	book, err := ledger.OpenPostgres(f.t.Context(), f.address, fleetLease)
	if err != nil {
		return 0
	}
	defer book.Close()
	all, _ := book.Runs(f.t.Context(), 100_000)
	for _, r := range all {
		if !r.Tick.IsZero() {
			n++
		}
	}
	return n
}

// began is what the servers said of a run.
type began struct{ experiment, due, incarnation string }

// begun reads the servers' logs, by run.
func (f *failover) begun() map[string]began {
	line := regexp.MustCompile(`msg="run begins" run=(\S+) experiment=(\S+) commit=.* due=(\S+) incarnation=(\S+)`)
	all := map[string]began{}
	for _, m := range f.servers {
		text, err := os.ReadFile(filepath.Join(m.state, "log"))
		if err != nil {
			f.t.Fatal(err)
		}
		for _, got := range line.FindAllStringSubmatch(string(text), -1) {
			all[got[1]] = began{got[2], got[3], got[4]}
		}
	}
	return all
}

// repeated are the times for which more than one run has injected, with the
// incarnations of each.
func (f *failover) repeated() map[string][]string {
	begun := f.begun()
	all := map[string][]string{}
	for id := range f.target.everything() {
		run, _, _ := strings.Cut(id, ".")
		b, ok := begun[run]
		if !ok {
			f.t.Errorf("run %s has injected, and no server says that it began", run)
			continue
		}
		time := b.experiment + " " + b.due
		all[time] = append(all[time], b.incarnation)
	}
	for time, runs := range all {
		if len(runs) == 1 {
			delete(all, time)
		}
	}
	return all
}

// A primary whose standby has every commit may be lost with all runs under way:
// what was acknowledged is there, so that nothing is done twice.
func TestFleetFailoverToASynchronousStandbyRepeatsNothing(t *testing.T) {
	f := newFailover(t, true)
	f.injectedSince(0, f.runs/2)
	f.fail()
	f.over()
	if twice := f.repeated(); len(twice) > 0 {
		t.Errorf("times that were run more than once: %v", twice)
	}
	t.Logf("%d faults were put in", f.target.injections())
}

// A standby that lacks the last commits is another database: what the lost ones were
// about is reverted by who knows it, and a time that is run again bears the name of
// another incarnation.
func TestFleetFailoverToAnAsynchronousStandbyLeavesNothing(t *testing.T) {
	f := newFailover(t, false)
	f.injectedSince(0, f.runs/6)
	f.standby.Down() // it gets no commits from here on
	f.injectedSince(f.target.injections(), f.runs/3)
	lost := f.target.injections()
	f.fail()
	f.over()
	twice := f.repeated()
	for time, incarnations := range twice {
		if len(incarnations) != 2 || incarnations[0] == incarnations[1] {
			t.Errorf("%s was run more than once, by %v", time, incarnations)
		}
	}
	t.Logf("%d faults were put in, %d of them before the primary was lost; %d times were run again", f.target.injections(), lost, len(twice))
}

// fail kills the primary and promotes the standby.
func (f *failover) fail() {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 2*time.Minute)
	defer cancel()
	f.primary.Down()
	if !f.standby.Running() {
		if err := f.standby.Up(ctx); err != nil {
			f.t.Fatal(err)
		}
	}
	if err := f.standby.Rise(ctx); err != nil {
		f.t.Fatal(err)
	}
}
