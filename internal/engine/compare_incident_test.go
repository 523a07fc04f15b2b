package engine

import (
	"strings"
	"testing"
	"time"

	"mishap"
	"mishap/internal/config"
	"mishap/internal/ledger"
	"mishap/internal/member"
)

// TestThePlanSaysWhenTheLastIncidentTookLongerToShow reads it from the ledger, of this experiment, and not of runs without a fault.
func TestThePlanSaysWhenTheLastIncidentTookLongerToShow(t *testing.T) {
	a := newWorld(config.Settings{State: t.TempDir()}, member.Options{})
	e := mishap.Experiment{Name: "slow payments", Compare: &mishap.Compare{Arms: mishap.Arms{From: mishap.ArmsFromTargets}, AtLeast: mishap.DefaultAtLeast}, Faults: []mishap.Fault{{For: mishap.Duration(time.Hour)}}}
	foretold := func() string {
		lines, _ := a.comparer.foretell(t.Context(), e)
		return strings.Join(lines, "\n")
	}
	without := foretold()
	if strings.Contains(without, "incident") || a.HasLedger(t.Context()) {
		t.Errorf("without a ledger: %q", without)
	}
	book, err := a.Ledger(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = book.Close() })
	deviated := func(id, name string, begin time.Time, after time.Duration, noFault bool) {
		t.Helper()
		seq := int64(1)
		entry := func(e mishap.Entry, at time.Duration) mishap.Entry {
			e.Run, e.Seq, e.At = id, seq, begin.Add(at)
			seq++
			return e
		}
		state := func(to mishap.State, at time.Duration) mishap.Entry {
			return entry(mishap.Entry{State: &mishap.StateChange{To: to}}, at)
		}
		moved := func(to mishap.InjectionState, in *mishap.Injection, at time.Duration) mishap.Entry {
			return entry(mishap.Entry{Injection: &mishap.InjectionChange{ID: id + ".1", To: to, Injection: in}}, at)
		}
		plan := &mishap.Plan{Experiment: mishap.Experiment{Name: name, Group: name}, NoFault: noFault}
		lease, err := book.Begin(t.Context(), ledger.Start{Server: "one", First: entry(mishap.Entry{Planned: plan}, 0)})
		if err != nil {
			t.Fatal(err)
		}
		harm := mishap.Entry{Comparison: &mishap.Comparison{Phase: mishap.InHold, Outcome: mishap.HarmShown, Reason: "harm"}}
		check := state(mishap.Checking, 0)
		in := mishap.Injection{ID: id + ".1", Run: id, Fault: "f"}
		put := moved(mishap.InjectionPrepared, &in, 0)
		err = book.Append(t.Context(), lease, check)
		if err == nil {
			err = book.Prepare(t.Context(), lease, put, in)
		}
		if err == nil {
			err = book.Append(t.Context(), lease, state(mishap.Injecting, 0), moved(mishap.InjectionInjecting, nil, 0), moved(mishap.InjectionInjected, nil, time.Second), state(mishap.Holding, time.Second),
				entry(harm, time.Second+after), state(mishap.Reverting, time.Second+after), moved(mishap.InjectionReverting, nil, time.Second+after), moved(mishap.InjectionReverted, nil, time.Second+after),
				state(mishap.Verifying, time.Second+after), state(mishap.Completed, 2*time.Second+after))
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := book.Unlock(t.Context(), name, "ann", "seen", begin); err != nil {
			t.Fatal(err)
		}
	}
	day := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	deviated("r1", e.Name, day, time.Hour, false)
	deviated("r2", e.Name, day.Add(2*time.Hour), 130*time.Second, false)
	deviated("r3", e.Name, day.Add(3*time.Hour), 3*time.Hour, true)
	deviated("r4", "another", day.Add(7*time.Hour), 4*time.Hour, false)
	if text := foretold(); !strings.Contains(text, "the last incident (run r2) took 2m10s to show, and this run may hold after 1m: write atLeast: 2m10s") {
		t.Errorf("%q", text)
	}
	e.Compare.AtLeast = mishap.Duration(3 * time.Minute)
	if text := foretold(); text != without {
		t.Errorf("with 3m: %q", text)
	}
}
