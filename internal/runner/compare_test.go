package runner_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/internal/runner"
)

// comparer says what it is told to, a second after the other: first in the
// baseline, then while the fault is in force.
type comparer struct {
	baseline, hold []mishap.Comparison
	injected       chan time.Time
	refused        error // of who counts, when the faults come
}

func (c *comparer) Injecting(ctx context.Context, at time.Time) error {
	if c.refused != nil {
		return c.refused
	}
	select {
	case c.injected <- at:
	case <-ctx.Done():
	}
	return nil
}

func (c *comparer) Watch(ctx context.Context, tell func(mishap.Comparison)) {
	say := func(looks []mishap.Comparison, phase mishap.ComparisonPhase) bool {
		for _, look := range looks {
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				return false
			}
			look.Phase = phase
			tell(look)
		}
		return true
	}
	if !say(c.baseline, mishap.InBaseline) {
		return
	}
	select {
	case <-c.injected:
		say(c.hold, mishap.InHold)
	case <-ctx.Done():
	}
	<-ctx.Done()
}

var ready = []mishap.Comparison{{}, {Ready: true}}

// withArms adds arms to a set, which are an injection of their own.
func withArms(s *set, c *comparer) {
	c.injected = make(chan time.Time, 1)
	arms := fault(mishap.ArmsFault, 0)
	i := injector{s.w, s.p, mishap.ArmsFault}
	found, _ := i.Prepare(context.Background(), mishap.Request{})
	found[0].Fault = mishap.ArmsFault
	plan := s.first.Planned
	plan.Injections = append(found, plan.Injections...)
	plan.Experiment.Compare = &mishap.Compare{}
	s.runner.Arms = &runner.Fault{Fault: arms, Injector: i, Kind: mishap.InjectorKind{Keeper: mishap.KeeperProcess}}
	s.runner.Compare = c
}

func TestAComparisonEndsTheHoldWithItsVerdict(t *testing.T) {
	tests := map[string]struct {
		comparer comparer
		cause    mishap.Cause
		verdict  mishap.Verdict
		why      string
		took     time.Duration // from injection to revert
	}{
		"harm aborts": {
			comparer{baseline: ready, hold: []mishap.Comparison{{}, {}, {Outcome: mishap.HarmShown, Reason: "harm is shown"}}},
			mishap.CauseHarm, mishap.Deviated, "harm is shown", 3 * time.Second,
		},
		"no harm ends it early": {
			comparer{baseline: ready, hold: []mishap.Comparison{{}, {}, {}, {}, {Outcome: mishap.HarmRuledOut, Reason: "no harm"}}},
			mishap.CauseCleared, mishap.Held, "no harm; the system recovered", 5 * time.Second,
		},
		"a spent budget": {
			comparer{baseline: ready, hold: []mishap.Comparison{{}, {Outcome: mishap.Undecided, Reason: "the budget is spent"}}},
			mishap.CauseUndecided, mishap.Inconclusive, "the budget is spent", 2 * time.Second,
		},
		"no answer in time": {
			comparer{baseline: ready, hold: []mishap.Comparison{{Doubts: []string{"half a proof"}}}},
			mishap.CauseElapsed, mishap.Inconclusive, "half a proof", time.Minute,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSet(t, fault("a", time.Minute))
				withArms(s, &tt.comparer)
				run := s.run(t, t.Context())
				wantVerdict(t, run, tt.verdict, tt.why)
				if run.Cause != tt.cause {
					t.Errorf("cause %s, want %s", run.Cause, tt.cause)
				}
				if took := run.RevertingAt.Sub(run.InjectedAt); took < tt.took || took > tt.took+time.Second {
					t.Errorf("reverting after %s, want %s", took, tt.took)
				}
				if want := []string{"inject arms", "inject a", "revert a", "revert arms"}; !slices.Equal(changes(s), want) {
					t.Errorf("calls %v, want %v", changes(s), want)
				}
			})
		})
	}
}

// changes are the calls that change something, in order.
func changes(s *set) (list []string) {
	for _, call := range s.w.calls() {
		if strings.HasPrefix(call, "inject") || strings.HasPrefix(call, "revert") {
			list = append(list, call)
		}
	}
	return list
}

// TestNoFaultGoesInUnlessWhoCountsKnows: the edge was told of the injection, and did not take it.
func TestNoFaultGoesInUnlessWhoCountsKnows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSet(t, fault("a", time.Minute))
		withArms(s, &comparer{baseline: ready, refused: errors.New("the proxy does not answer")})
		run := s.run(t, t.Context())
		wantVerdict(t, run, mishap.Inconclusive, "the proxy does not answer")
		if want := []string{"inject arms", "revert arms"}; !slices.Equal(changes(s), want) {
			t.Errorf("calls %v, want %v", changes(s), want)
		}
	})
}

func TestABaselineThatShowsNothingInjectsNoFault(t *testing.T) {
	tests := map[string]struct {
		prepare func(*set)
		look    mishap.Comparison
		why     string
	}{
		"no traffic": {func(*set) {}, mishap.Comparison{Outcome: mishap.Undecided, Reason: "no traffic"}, "no traffic"},
		"a safeguard says no": {func(s *set) {
			time.AfterFunc(500*time.Millisecond, func() { s.w.setHealthy(func() error { return &mishap.Veto{Reason: "enough"} }) })
		}, mishap.Comparison{}, "enough"},
		"an abort": {func(s *set) {
			time.AfterFunc(500*time.Millisecond, func() { s.stops <- runner.Stop{Cause: mishap.CauseAbort, Reason: "no more"} })
		}, mishap.Comparison{}, "no more"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSet(t, fault("a", time.Minute))
				withArms(s, &comparer{baseline: []mishap.Comparison{{}, tt.look}})
				tt.prepare(s)
				run := s.run(t, t.Context())
				wantVerdict(t, run, mishap.Inconclusive, tt.why)
				if want := []string{"inject arms", "revert arms"}; !slices.Equal(changes(s), want) {
					t.Errorf("calls %v, want %v", changes(s), want)
				}
			})
		})
	}
}

func TestWithoutAFaultOnlyTheArmsAreSetUp(t *testing.T) {
	for name, c := range map[string]struct {
		hold    []mishap.Comparison
		verdict mishap.Verdict
		why     string
	}{
		"alike":   {[]mishap.Comparison{{}, {Outcome: mishap.HarmRuledOut, Reason: "no harm"}}, mishap.Held, "without a fault: no harm"},
		"differ":  {[]mishap.Comparison{{}, {Outcome: mishap.HarmShown, Reason: "harm is shown"}}, mishap.Deviated, "harm is shown"},
		"too few": {[]mishap.Comparison{{}}, mishap.Inconclusive, "no answer"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSet(t, fault("a", time.Minute))
				withArms(s, &comparer{baseline: ready, hold: c.hold})
				plan := s.first.Planned
				plan.NoFault, plan.Injections = true, plan.Injections[:1]
				s.runner.Faults = nil
				run := s.run(t, t.Context())
				wantVerdict(t, run, c.verdict, c.why)
				if want := []string{"inject arms", "revert arms"}; !slices.Equal(changes(s), want) {
					t.Errorf("calls %v, want %v", changes(s), want)
				}
			})
		})
	}
}

// A comparison that has ruled harm out before any request met the fault goes on until one does.
func TestHarmIsNotRuledOutBeforeTheFaultIsFelt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSet(t, fault("a", time.Minute))
		cleared := mishap.Comparison{Outcome: mishap.HarmRuledOut, Reason: "no harm"}
		withArms(s, &comparer{baseline: ready, hold: []mishap.Comparison{cleared, cleared, cleared, cleared, cleared, cleared, cleared}})
		began := time.Now()
		s.runner.Faults[0].Injector = quiet{s.runner.Faults[0].Injector, began.Add(7 * time.Second)}
		run := s.run(t, t.Context())
		wantVerdict(t, run, mishap.Held, "no harm")
		if took := run.RevertingAt.Sub(began); took < 7*time.Second || took > 9*time.Second {
			t.Errorf("reverting after %s, felt after 7s", took)
		}
	})
}

// quiet is a fault on traffic that none meets before its time.
type quiet struct {
	mishap.Injector
	until time.Time
}

func (q quiet) Verify(ctx context.Context, in mishap.Injection) (mishap.Effect, error) {
	e, err := q.Injector.Verify(ctx, in)
	e.Traffic = &mishap.Traffic{}
	if time.Now().After(q.until) {
		e.Traffic.Connections = 1
	}
	return e, err
}
