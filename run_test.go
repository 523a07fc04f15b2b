package mishap_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mishap"
)

// script writes a journal of a run, one step after the other, a second apart.
type script struct {
	t       *testing.T
	entries []mishap.Entry
}

func newScript(t *testing.T, probes ...mishap.ProbeSpec) *script {
	if len(probes) == 0 {
		probes = []mishap.ProbeSpec{{Name: "p", When: []mishap.Phase{mishap.Before, mishap.During, mishap.After}}}
	}
	s := &script{t: t}
	return s.add(mishap.Entry{Planned: &mishap.Plan{Experiment: mishap.Experiment{Name: "x", SteadyState: probes}}})
}

func (s *script) add(e mishap.Entry) *script {
	e.Run, e.Seq = "r1", int64(len(s.entries)+1)
	e.At = time.Date(2026, 1, 1, 0, 0, len(s.entries), 0, time.UTC)
	s.entries = append(s.entries, e)
	return s
}

func (s *script) state(to mishap.State, cause mishap.Cause) *script {
	return s.add(mishap.Entry{State: &mishap.StateChange{To: to, Cause: cause, Reason: string(cause)}})
}

func (s *script) injection(to mishap.InjectionState) *script {
	c := &mishap.InjectionChange{ID: "i1", To: to}
	if to == mishap.InjectionPrepared {
		c.Injection = &mishap.Injection{ID: "i1", Fault: "f", Target: mishap.Target{ID: "t", Kind: "process"}}
	}
	return s.add(mishap.Entry{Injection: c})
}

func (s *script) observe(phase mishap.Phase, results ...mishap.Result) *script {
	for _, r := range results {
		s.add(mishap.Entry{Observation: &mishap.Observation{Probe: "p", Phase: phase, Result: r}})
	}
	return s
}

func (s *script) effect(inForce mishap.Answer, traffic *mishap.Traffic) *script {
	return s.add(mishap.Entry{Effect: &mishap.Effect{Injection: "i1", InForce: inForce, Traffic: traffic}})
}

// in brings the run to holding with one fault in.
func (s *script) in() *script {
	return s.state(mishap.Checking, "").observe(mishap.Before, mishap.Met).
		injection(mishap.InjectionPrepared).state(mishap.Injecting, "").
		injection(mishap.InjectionInjecting).injection(mishap.InjectionInjected).state(mishap.Holding, "")
}

// harm is a look at the arms that shows harm.
func (s *script) harm() *script {
	return s.add(mishap.Entry{Comparison: &mishap.Comparison{Phase: mishap.InHold, Outcome: mishap.HarmShown, Reason: "requests stopped coming"}})
}

// out reverts and verifies; counts are what looks at the fault then say of its traffic.
func (s *script) out(cause mishap.Cause, counts ...*mishap.Traffic) *script {
	s.state(mishap.Reverting, cause).
		injection(mishap.InjectionReverting).injection(mishap.InjectionReverted).
		state(mishap.Verifying, "")
	for _, c := range counts {
		s.effect(mishap.No, c)
	}
	return s.add(mishap.Entry{Recovered: &mishap.Recovered{In: true}}).
		state(mishap.Completed, "")
}

func (s *script) judge() (mishap.Verdict, string) {
	s.t.Helper()
	run, err := mishap.Replay(s.entries)
	if err != nil {
		s.t.Fatal(err)
	}
	return mishap.Judge(run)
}

// TestAComparisonWithoutAnAnswerSaysWhatItWaitedFor: the last look may come just before the faults are over.
func TestAComparisonWithoutAnAnswerSaysWhatItWaitedFor(t *testing.T) {
	s := newScript(t)
	s.entries[0].Planned.Experiment.Compare = &mishap.Compare{}
	s.in().observe(mishap.During, mishap.Met).effect(mishap.Yes, &mishap.Traffic{Connections: 3})
	s.add(mishap.Entry{Comparison: &mishap.Comparison{Phase: mishap.InHold, Doubts: []string{"a scrape failed"}, Intervals: &mishap.Intervals{Waits: []string{"the interval is wide"}}}})
	verdict, why := s.out(mishap.CauseElapsed).judge()
	if verdict != mishap.Inconclusive || !strings.Contains(why, "no answer yet when the faults were over: a scrape failed; the interval is wide") {
		t.Errorf("%s: %s", verdict, why)
	}
}

func TestVerdictFollowsTheEvidence(t *testing.T) {
	felt, unfelt := &mishap.Traffic{Connections: 3}, &mishap.Traffic{}
	tests := []struct {
		name string
		run  func(*script) *script
		want mishap.Verdict
		why  string
	}{
		{"all met and in force", func(s *script) *script {
			return s.in().observe(mishap.During, mishap.Met).effect(mishap.Yes, nil).out(mishap.CauseElapsed)
		}, mishap.Held, "recovered"},
		{"one unmet without allowance", func(s *script) *script {
			return s.in().observe(mishap.During, mishap.Unmet).effect(mishap.Yes, nil).out(mishap.CauseElapsed)
		}, mishap.Deviated, `"p" was not met`},
		{"deviation sticks when a safeguard stops the run later", func(s *script) *script {
			return s.in().observe(mishap.During, mishap.Unmet).out(mishap.CauseSafeguard)
		}, mishap.Deviated, `"p" was not met`},
		{"unknown never counts as met", func(s *script) *script {
			return s.in().observe(mishap.During, mishap.Unmeasured).effect(mishap.Yes, nil).out(mishap.CauseElapsed)
		}, mishap.Inconclusive, "could not be measured"},
		{"a fault not in force at one look", func(s *script) *script {
			return s.in().observe(mishap.During, mishap.Met).effect(mishap.Yes, nil).effect(mishap.Unknown, nil).out(mishap.CauseElapsed)
		}, mishap.Inconclusive, "1 of 2 looks"},
		{"a fault nobody looked at", func(s *script) *script {
			return s.in().observe(mishap.During, mishap.Met).out(mishap.CauseElapsed)
		}, mishap.Inconclusive, "nobody looked"},
		{"a traffic fault that nobody felt", func(s *script) *script {
			return s.in().observe(mishap.During, mishap.Met).effect(mishap.Yes, unfelt).out(mishap.CauseElapsed)
		}, mishap.Inconclusive, "affected no traffic"},
		{"a traffic fault that was felt", func(s *script) *script {
			return s.in().observe(mishap.During, mishap.Met).effect(mishap.Yes, felt).out(mishap.CauseElapsed)
		}, mishap.Held, ""},
		{"a traffic fault that was felt until what counts knew nothing any more", func(s *script) *script {
			return s.in().observe(mishap.During, mishap.Met).effect(mishap.Yes, felt).out(mishap.CauseElapsed, nil)
		}, mishap.Inconclusive, "what f on process t affected is not known, or not all of it"},
		{"a traffic fault that was felt until what counts began anew", func(s *script) *script {
			return s.in().observe(mishap.During, mishap.Met).effect(mishap.Yes, felt).out(mishap.CauseElapsed, unfelt)
		}, mishap.Inconclusive, "is not known, or not all of it"},
		{"a traffic fault not yet felt when what counts knew nothing any more", func(s *script) *script {
			return s.in().observe(mishap.During, mishap.Met).effect(mishap.Yes, unfelt).out(mishap.CauseElapsed, nil)
		}, mishap.Inconclusive, "is not known, or not all of it"},
		{"a traffic fault forgotten after it was out, and after its counts were told", func(s *script) *script {
			return s.in().observe(mishap.During, mishap.Met).effect(mishap.Yes, unfelt).out(mishap.CauseElapsed, felt, nil)
		}, mishap.Held, ""},
		{"a probe that answered only about the time before", func(s *script) *script {
			before := s.in().entries[len(s.entries)-1].At.Add(-time.Hour)
			return s.add(mishap.Entry{Observation: &mishap.Observation{Probe: "p", Phase: mishap.During, Result: mishap.Met, Start: before}}).
				effect(mishap.Yes, nil).out(mishap.CauseElapsed)
		}, mishap.Inconclusive, `nobody saw f on process t: "p" gave no answer`},
		{"harm between the arms", func(s *script) *script {
			return s.in().observe(mishap.During, mishap.Met).effect(mishap.Yes, felt).harm().out(mishap.CauseHarm)
		}, mishap.Deviated, "requests stopped coming"},
		{"harm between the arms of a fault that touched nobody", func(s *script) *script {
			return s.in().observe(mishap.During, mishap.Met).effect(mishap.Yes, unfelt).harm().out(mishap.CauseHarm)
		}, mishap.Inconclusive, "no effect: f"},
		{"harm between the arms, and only later somebody met the fault", func(s *script) *script {
			return s.in().observe(mishap.During, mishap.Met).effect(mishap.Yes, unfelt).harm().effect(mishap.Yes, felt).out(mishap.CauseHarm)
		}, mishap.Deviated, "requests stopped coming"},
		{"harm between the arms of a fault that was never in force", func(s *script) *script {
			return s.in().observe(mishap.During, mishap.Met).effect(mishap.No, nil).harm().out(mishap.CauseHarm)
		}, mishap.Inconclusive, "no effect shown"},
		{"a probe deviates of a fault that touched nobody", func(s *script) *script {
			return s.in().effect(mishap.Yes, unfelt).harm().observe(mishap.During, mishap.Unmet).out(mishap.CauseHarm)
		}, mishap.Deviated, `"p" was not met`},
		{"nobody knows whether it came back", func(s *script) *script {
			return s.in().observe(mishap.During, mishap.Met).effect(mishap.Yes, nil).
				state(mishap.Reverting, mishap.CauseElapsed).injection(mishap.InjectionReverting).injection(mishap.InjectionReverted).
				state(mishap.Verifying, "").add(mishap.Entry{Recovered: &mishap.Recovered{Blind: "p was down"}}).state(mishap.Completed, "")
		}, mishap.Inconclusive, "is not known: p was down"},
		{"probes never asked", func(s *script) *script {
			return s.in().effect(mishap.Yes, nil).out(mishap.CauseElapsed)
		}, mishap.Inconclusive, `"p" gave no answer`},
		{"aborted", func(s *script) *script {
			return s.in().observe(mishap.During, mishap.Met).effect(mishap.Yes, nil).out(mishap.CauseAbort)
		}, mishap.Inconclusive, "abort"},
		{"no recovery in time", func(s *script) *script {
			return s.in().observe(mishap.During, mishap.Met).effect(mishap.Yes, nil).
				state(mishap.Reverting, mishap.CauseElapsed).injection(mishap.InjectionReverting).injection(mishap.InjectionReverted).
				state(mishap.Verifying, "").add(mishap.Entry{Recovered: &mishap.Recovered{}}).state(mishap.Completed, "")
		}, mishap.Deviated, "did not come back"},
		{"stranded once, never held", func(s *script) *script {
			return s.in().observe(mishap.During, mishap.Met).effect(mishap.Yes, nil).
				state(mishap.Reverting, mishap.CauseElapsed).injection(mishap.InjectionReverting).injection(mishap.InjectionStranded).
				state(mishap.Stranded, "").out(mishap.CauseRetry)
		}, mishap.Inconclusive, "repeated"},
		{"not over", func(s *script) *script { return s.in() }, mishap.NoVerdict, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, why := tt.run(newScript(t)).judge()
			if got != tt.want || !strings.Contains(why, tt.why) {
				t.Errorf("Judge = %s, %q; want %s, …%q…", got, why, tt.want, tt.why)
			}
		})
	}
}

// Where no probe watches a fault, that the system recovered is all that held.
func TestARunThatNoProbeWatchesSaysSo(t *testing.T) {
	verdict, why := newScript(t, mishap.ProbeSpec{Name: "p", When: []mishap.Phase{mishap.Before, mishap.After}}).
		in().effect(mishap.Yes, nil).out(mishap.CauseElapsed).judge()
	if want := "no probe was asked while the fault was in force, and the system recovered"; verdict != mishap.Held || why != want {
		t.Errorf("%s: %s, want %s", verdict, why, want)
	}
}

// Before a fault is in, a probe is met: that says nothing of the fault, nor does an
// allowance that was not used up.
func TestNothingIsHeldOfAFaultUnderWhichAProbeWasNeverMet(t *testing.T) {
	spec := mishap.ProbeSpec{Name: "p", Allow: mishap.Allowance{Count: 2, Window: 20}, When: []mishap.Phase{mishap.During}}
	for _, c := range []struct {
		name string
		seen []mishap.Result
		want mishap.Verdict
		why  string
	}{
		{"never met", []mishap.Result{mishap.Unmet, mishap.Unmet}, mishap.Inconclusive, `"p" was never met while f on process t was in force`},
		{"met once", []mishap.Result{mishap.Unmet, mishap.Met, mishap.Unmet}, mishap.Held, "every probe was met as often as it has to be while the fault was in force"},
		{"always met", []mishap.Result{mishap.Met}, mishap.Held, "every probe was met while the fault was in force"},
		{"beyond the allowance", []mishap.Result{mishap.Unmet, mishap.Unmet, mishap.Unmet}, mishap.Deviated, `"p" was not met`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScript(t, spec).state(mishap.Checking, "").
				injection(mishap.InjectionPrepared).state(mishap.Injecting, "").observe(mishap.During, mishap.Met).
				injection(mishap.InjectionInjecting).injection(mishap.InjectionInjected).state(mishap.Holding, "").
				observe(mishap.During, c.seen...).effect(mishap.Yes, nil).out(mishap.CauseElapsed)
			verdict, why := s.judge()
			if verdict != c.want || !strings.Contains(why, c.why) {
				t.Errorf("%s: %s, want %s: %s", verdict, why, c.want, c.why)
			}
		})
	}
}

func TestAllowanceSlidesOverTheLastObservations(t *testing.T) {
	spec := mishap.ProbeSpec{Name: "p", Allow: mishap.Allowance{Count: 1, Window: 3}, When: []mishap.Phase{mishap.During}}
	m, u := mishap.Met, mishap.Unmet
	for _, tt := range []struct {
		results []mishap.Result
		want    bool
	}{
		{[]mishap.Result{u}, false},
		{[]mishap.Result{u, u}, true},
		{[]mishap.Result{u, m, u}, true},
		{[]mishap.Result{u, m, m, u}, false},
		{[]mishap.Result{u, m, m, u, m, u}, true},
	} {
		run, err := mishap.Replay(newScript(t, spec).in().observe(mishap.During, tt.results...).entries)
		if err != nil {
			t.Fatal(err)
		}
		if got := run.Deviation != ""; got != tt.want {
			t.Errorf("after %v: deviated %t, want %t", tt.results, got, tt.want)
		}
	}
}

func TestOnceInjectingEveryWayOutPassesThroughReverting(t *testing.T) {
	reach := func(from mishap.State, avoid mishap.State) map[mishap.State]bool {
		seen, queue := map[mishap.State]bool{from: true}, []mishap.State{from}
		for len(queue) > 0 {
			at := queue[0]
			queue = queue[1:]
			for _, next := range mishap.States() {
				if at.CanBecome(next) && next != avoid && !seen[next] {
					seen[next] = true
					queue = append(queue, next)
				}
			}
		}
		return seen
	}
	for state := range reach(mishap.Injecting, mishap.Reverting) {
		if state.Ended() {
			t.Errorf("%s can be reached from injecting without reverting", state)
		}
	}
	if !reach(mishap.Injecting, "")[mishap.Completed] {
		t.Error("completed cannot be reached at all")
	}
}

func TestReplayRefusesWhatCannotHaveHappened(t *testing.T) {
	base := newScript(t).entries
	tests := map[string][]mishap.Entry{
		"no entries":          {},
		"no plan first":       {{Run: "r1", Seq: 1, Note: &mishap.Note{}}},
		"a gap":               append(base[:1:1], mishap.Entry{Run: "r1", Seq: 3, Note: &mishap.Note{}}),
		"another run":         append(base[:1:1], mishap.Entry{Run: "r2", Seq: 2, Note: &mishap.Note{}}),
		"an impossible state": append(base[:1:1], mishap.Entry{Run: "r1", Seq: 2, State: &mishap.StateChange{To: mishap.Completed}}),
		"an unknown probe":    append(base[:1:1], mishap.Entry{Run: "r1", Seq: 2, Observation: &mishap.Observation{Probe: "q"}}),
		"an unknown target":   append(base[:1:1], mishap.Entry{Run: "r1", Seq: 2, Effect: &mishap.Effect{Injection: "?"}}),
		"two things at once":  append(base[:1:1], mishap.Entry{Run: "r1", Seq: 2, Note: &mishap.Note{}, Effect: &mishap.Effect{}}),
		"an empty entry":      append(base[:1:1], mishap.Entry{Run: "r1", Seq: 2}),
	}
	for name, entries := range tests {
		if _, err := mishap.Replay(entries); err == nil {
			t.Errorf("%s: replayed without an error", name)
		}
	}
}

func TestJournalAloneGivesTheSameRun(t *testing.T) {
	s := newScript(t).in().observe(mishap.During, mishap.Met).effect(mishap.Yes, nil).out(mishap.CauseElapsed)
	want, err := mishap.Replay(s.entries)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(s.entries)
	if err != nil {
		t.Fatal(err)
	}
	var back []mishap.Entry
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	got, err := mishap.Replay(back)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(mishap.Watch{})); diff != "" {
		t.Error(diff)
	}
}

func FuzzReplay(f *testing.F) {
	data, _ := json.Marshal(newScript(&testing.T{}).in().out(mishap.CauseElapsed).entries)
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		var entries []mishap.Entry
		if json.Unmarshal(data, &entries) != nil {
			return
		}
		run, err := mishap.Replay(entries)
		if err != nil {
			return
		}
		if verdict, _ := mishap.Judge(run); verdict == mishap.Held && len(run.Outstanding()) > 0 {
			t.Fatal("held with a fault still in")
		}
	})
}

func TestWorstOutcomeWins(t *testing.T) {
	order := []int{6, 1, 2, 3, 130, 4, 5, 0}
	outcomes := map[int]mishap.Outcome{}
	for o := mishap.OutcomeHeld; o <= mishap.OutcomeInterrupted; o++ {
		outcomes[o.ExitCode()] = o
	}
	for i, a := range order {
		for _, b := range order[i:] {
			if got := mishap.Worst(outcomes[b], outcomes[a]).ExitCode(); got != a {
				t.Errorf("Worst(%d, %d) = %d", a, b, got)
			}
		}
	}
}

func TestJournalsAreReplayedUpToTheFirstThatCannotBeRead(t *testing.T) {
	gone := errors.New("it is gone")
	journal := func(run string) ([]mishap.Entry, error) {
		switch run {
		case "gone":
			return nil, gone
		case "empty":
			return nil, nil
		}
		return []mishap.Entry{{Run: run, Seq: 1, Planned: &mishap.Plan{}}}, nil
	}
	for broken, want := range map[string]string{"gone": gone.Error(), "empty": "it has no entries"} {
		runs, err := mishap.ReplayAll([]string{"a", "b", broken, "c"}, journal)
		if err == nil || !strings.Contains(err.Error(), want) || len(runs) != 2 || runs[0].ID != "a" || runs[1].ID != "b" {
			t.Errorf("%s: %d runs, %v", broken, len(runs), err)
		}
	}
}
