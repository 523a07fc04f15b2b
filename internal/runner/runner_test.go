package runner_test

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/internal/runner"
)

// run executes the set and checks what must be true of every run: the world is
// as it was, and the journal gives the run that was returned.
func (s *set) run(t *testing.T, ctx context.Context) *mishap.Run {
	t.Helper()
	run, err := s.runner.Run(ctx, s.first)
	if err != nil {
		t.Fatalf("Run: %v", err)
	}
	s.check(t, run)
	return run
}

func (s *set) check(t *testing.T, run *mishap.Run) {
	t.Helper()
	if off := s.w.anyOff(); run.State.Ended() && off != nil {
		t.Errorf("left behind: %v", off)
	}
	replayed, err := mishap.Replay(s.ledger.entries)
	if err != nil {
		t.Fatalf("replay: %v", err)
	}
	got, _ := mishap.Judge(replayed)
	want, _ := mishap.Judge(run)
	if got != want || replayed.State != run.State {
		t.Errorf("the journal says %s %s, the run %s %s", replayed.State, got, run.State, want)
	}
}

func wantVerdict(t *testing.T, run *mishap.Run, want mishap.Verdict, why string) {
	t.Helper()
	got, reason := mishap.Judge(run)
	if got != want || !strings.Contains(reason, why) {
		t.Errorf("verdict %q because %q; want %q because …%q… (state %s)", got, reason, want, why, run.State)
	}
}

func TestHeldWhenEveryProbeIsMetAndTheFaultIsInForce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSet(t, fault("a", time.Minute))
		start := time.Now()
		run := s.run(t, t.Context())
		wantVerdict(t, run, mishap.Held, "")
		if held := run.RevertingAt.Sub(run.Injections[0].InjectedAt); held < time.Minute || held > time.Minute+time.Second {
			t.Errorf("the fault was in force for %s, not for a minute", held)
		}
		if took := time.Since(start); took > 70*time.Second {
			t.Errorf("the run took %s", took)
		}
	})
}

func TestRevertsNewestFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSet(t, fault("a", time.Minute), fault("b", time.Minute), fault("c", time.Minute))
		s.run(t, t.Context())
		want := []string{"hold a", "hold b", "hold c", "inject a", "inject b", "inject c", "revert c", "revert b", "revert a"}
		if !slices.Equal(s.w.trace, want) {
			t.Errorf("calls were %v", s.w.trace)
		}
	})
}

func TestAfterCountsFromTheOtherFaultsInjection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := fault("b", 10*time.Second)
		b.After = &mishap.FaultOrder{Fault: "a", Wait: mishap.Duration(30 * time.Second)}
		s := newSet(t, fault("a", time.Minute), b)
		run := s.run(t, t.Context())
		wantVerdict(t, run, mishap.Held, "")
		ia, ib := run.Injections[0], run.Injections[1]
		if gap := ib.InjectedAt.Sub(ia.InjectedAt); gap < 30*time.Second || gap > 31*time.Second {
			t.Errorf("b went in %s after a", gap)
		}
		if held := ib.SettledAt.Sub(ib.InjectedAt); held > 12*time.Second {
			t.Errorf("b was in force for %s, not for its own 10s", held)
		}
	})
}

func TestNothingIsTouchedWhenRefused(t *testing.T) {
	tests := map[string]struct {
		prepare func(*set)
		cause   mishap.Cause
	}{
		"a safeguard says no":     {func(s *set) { s.w.healthy = func() error { return &mishap.Veto{Reason: "not now"} } }, mishap.CauseSafeguard},
		"a safeguard cannot tell": {func(s *set) { s.w.healthy = func() error { return errors.New("?") } }, mishap.CauseSafeguard},
		"a safeguard panics":      {func(s *set) { s.w.healthy = func() error { panic("?") } }, mishap.CauseSafeguard},
		"the steady state is not met": {func(s *set) {
			s.w.probe = func() mishap.Observation { return mishap.Observation{Result: mishap.Unmet} }
		}, mishap.CauseSteadyState},
		"the steady state is unknown": {func(s *set) {
			s.w.probe = func() mishap.Observation { return mishap.Observation{Result: mishap.Unmeasured} }
		}, mishap.CauseSteadyState},
		"a target is not the one planned": {func(s *set) { s.first.Planned.Injections[0].Target.ID = "other" }, mishap.CauseTarget},
		"somebody aborts":                 {func(s *set) { s.stops <- runner.Stop{Cause: mishap.CauseAbort} }, mishap.CauseAbort},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSet(t, fault("a", time.Minute))
				tt.prepare(s)
				run := s.run(t, t.Context())
				if run.State != mishap.Refused || run.Cause != tt.cause {
					t.Errorf("state %s, cause %s", run.State, run.Cause)
				}
				if len(s.w.trace) != 0 {
					t.Errorf("calls were made: %v", s.w.trace)
				}
			})
		})
	}
}

func TestEveryWayOutReverts(t *testing.T) {
	after := func(d time.Duration, f func(*set)) func(*set) {
		return func(s *set) { time.AfterFunc(d, func() { f(s) }) }
	}
	tests := map[string]struct {
		prepare func(*set)
		cause   mishap.Cause
		verdict mishap.Verdict
	}{
		"a deviation": {func(s *set) {
			s.w.probe = func() mishap.Observation {
				if s.w.anyOff() != nil {
					return mishap.Observation{Result: mishap.Unmet}
				}
				return mishap.Observation{Result: mishap.Met}
			}
		}, mishap.CauseDeviation, mishap.Deviated},
		"a safeguard": {after(10*time.Second, func(s *set) {
			s.w.setHealthy(func() error { return &mishap.Veto{Reason: "enough"} })
		}), mishap.CauseSafeguard, mishap.Inconclusive},
		"an abort": {after(10*time.Second, func(s *set) {
			s.stops <- runner.Stop{Cause: mishap.CauseAbort, Reason: "abort"}
		}), mishap.CauseAbort, mishap.Inconclusive},
		"a lost keeper":           {after(10*time.Second, func(s *set) { close(s.keeper.lost) }), mishap.CauseInternal, mishap.Inconclusive},
		"a failing injection":     {func(s *set) { s.w.fail["inject b"] = 1 }, mishap.CauseError, mishap.Inconclusive},
		"a revert that must wait": {func(s *set) { s.w.fail["revert b"] = 3 }, mishap.CauseElapsed, mishap.Held},
		"a panic in an injector": {func(s *set) {
			var once sync.Once
			s.p.around = func(p string) {
				if p == "before revert b" {
					once.Do(func() { panic("?") })
				}
			}
		}, mishap.CauseElapsed, mishap.Held},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSet(t, fault("a", time.Minute), fault("b", time.Minute))
				tt.prepare(s)
				run := s.run(t, t.Context())
				wantVerdict(t, run, tt.verdict, "")
				if run.State != mishap.Completed || run.Cause != tt.cause {
					t.Errorf("state %s, cause %s (%s)", run.State, run.Cause, run.Reason)
				}
			})
		})
	}
}

func TestInterruptRevertsAndSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSet(t, fault("a", time.Minute))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(5*time.Second, cancel)
		run := s.run(t, ctx)
		if code := mishap.OutcomeOf(run).ExitCode(); code != 130 {
			t.Errorf("exit code %d", code)
		}
	})
}

func TestRevertNeedsNoLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSet(t, fault("a", time.Minute))
		time.AfterFunc(10*time.Second, func() { s.ledger.mu.Lock(); s.ledger.broken = true; s.ledger.mu.Unlock() })
		run, err := s.runner.Run(t.Context(), s.first)
		if err == nil {
			t.Error("a run that could not be written returned no error")
		}
		if off := s.w.anyOff(); off != nil {
			t.Errorf("left behind: %v", off)
		}
		if mishap.OutcomeOf(run) != mishap.OutcomeInternal {
			t.Errorf("outcome %v", mishap.OutcomeOf(run))
		}
	})
}

func TestARevertThatGivesUpIsStrandedAndStopsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSet(t, fault("a", time.Minute), fault("b", time.Minute))
		s.w.fail["revert b"] = 1 << 30
		run := s.run(t, t.Context())
		if run.State != mishap.Stranded || mishap.OutcomeOf(run).ExitCode() != 6 {
			t.Errorf("state %s", run.State)
		}
		if off := s.w.anyOff(); !slices.Equal(off, []string{"b"}) {
			t.Errorf("off: %v", off)
		}
		s.w.fail["revert b"] = 0
		run, err := s.runner.Resume(t.Context(), s.ledger.entries, s.ledger.injections(), mishap.StateChange{Cause: mishap.CauseRetry})
		if err != nil {
			t.Fatal(err)
		}
		s.check(t, run)
		wantVerdict(t, run, mishap.Inconclusive, "repeated")
	})
}

func TestARunThatItsServerEndedAfterAllIsLeftAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSet(t, fault("a", 10*time.Second))
		run := s.run(t, t.Context())
		n := len(s.ledger.entries)
		again, err := s.runner.Resume(t.Context(), s.ledger.entries, s.ledger.injections(), mishap.StateChange{Cause: mishap.CauseCrash, Reason: "the server was lost"})
		if err != nil || again.State != mishap.Completed || again.Reason != run.Reason || len(s.ledger.entries) != n {
			t.Errorf("%v: %s %s, %d entries more", err, again.State, again.Reason, len(s.ledger.entries)-n)
		}
	})
}

func TestNoRecoveryInTimeIsADeviation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSet(t, fault("a", 10*time.Second))
		s.w.probe = func() mishap.Observation {
			if slices.Contains(s.w.calls(), "revert a") {
				return mishap.Observation{Result: mishap.Unmet}
			}
			return mishap.Observation{Result: mishap.Met}
		}
		wantVerdict(t, s.run(t, t.Context()), mishap.Deviated, "did not come back within 2m")
	})
}

func TestRecoveryIsTimedToTheFirstOfTwoLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSet(t, fault("a", 10*time.Second))
		var mu sync.Mutex // the last observation while holding may still be under way
		var back time.Time
		s.w.probe = func() mishap.Observation {
			mu.Lock()
			defer mu.Unlock()
			if slices.Contains(s.w.calls(), "revert a") {
				if back.IsZero() {
					back = time.Now().Add(5 * time.Second)
				}
				if time.Now().Before(back) {
					return mishap.Observation{Result: mishap.Unmet}
				}
			}
			return mishap.Observation{Result: mishap.Met}
		}
		run := s.run(t, t.Context())
		wantVerdict(t, run, mishap.Held, "")
		took, resolution := run.Recovered.Took.Std(), run.Recovered.Resolution.Std()
		if took < 5*time.Second || took-resolution > 5*time.Second {
			t.Errorf("recovered after %s ± %s, really after 5s", took, resolution)
		}
	})
}

// TestCrashAnywhereLeavesNothingAndHoldsNothing kills the server before and
// after every ledger, keeper and target call of a run with three faults, and
// lets another take over.
func TestCrashAnywhereLeavesNothingAndHoldsNothing(t *testing.T) {
	for _, arms := range []bool{false, true} {
		points := 0
		for crashed := true; crashed; points++ {
			synctest.Test(t, func(t *testing.T) { crashed = crashAt(t, points+1, arms) })
		}
		if points < 40 {
			t.Errorf("only %d calls were crashed at", points)
		}
		t.Logf("crashed at each of %d calls (arms: %v)", points-1, arms)
	}
}

// crashAt kills the server at its n-th call and reports whether it came to
// that.
func crashAt(t *testing.T, n int, arms bool) bool {
	c := fault("c", time.Second)
	c.After = &mishap.FaultOrder{Fault: "a", Wait: mishap.Duration(time.Second)}
	s := newSet(t, fault("a", 3*time.Second), fault("b", time.Second), c)
	if arms {
		withArms(s, &comparer{baseline: ready, hold: []mishap.Comparison{{}, {Outcome: mishap.HarmRuledOut, Reason: "no harm"}}})
	}
	ctx, crash := context.WithCancelCause(t.Context())
	grave := make(chan struct{})
	defer close(grave)
	var mu sync.Mutex
	calls, where, crashed := 0, "", false
	s.p.around = func(point string) {
		mu.Lock()
		calls++
		if calls == n {
			where, crashed = point, true
		}
		dead := crashed
		mu.Unlock()
		if dead { // the process does nothing more: whoever calls, stays here
			crash(runner.ErrLeave)
			<-grave
			runtime.Goexit()
		}
	}
	done := make(chan *mishap.Run, 1)
	go func() {
		run, _ := s.runner.Run(ctx, s.first)
		done <- run
	}()
	select {
	case run := <-done:
		mu.Lock()
		alive := !crashed
		mu.Unlock()
		if alive {
			wantVerdict(t, run, mishap.Held, "")
			return false
		}
	case <-time.After(time.Hour):
	}
	mu.Lock()
	point := where
	mu.Unlock()
	s.takeOver(t, point)
	return true
}

// takeOver lets another server end the run from what the ledger holds.
func (s *set) takeOver(t *testing.T, where string) {
	t.Helper()
	p := &process{around: func(string) {}}
	ledger := &memory{p: p, entries: slices.Clone(s.ledger.entries), undo: maps.Clone(s.ledger.undo)}
	restore := func(in mishap.Injection) (mishap.Injector, error) { return injector{s.w, p, in.Target.ID}, nil }
	next := &runner.Runner{Journal: ledger, Probes: s.runner.Probes, Restore: restore, RevertWithin: time.Minute}
	before, err := mishap.Replay(ledger.entries)
	if err != nil {
		t.Fatalf("crash %s: %v", where, err)
	}
	run := before
	if !before.State.Ended() {
		run, err = next.Resume(t.Context(), ledger.entries, ledger.injections(), mishap.StateChange{Cause: mishap.CauseCrash, Reason: "the server was lost"})
		if err != nil {
			t.Fatalf("crash %s: %v", where, err)
		}
	}
	if off := s.w.anyOff(); off != nil {
		t.Errorf("crash %s: left behind: %v", where, off)
	}
	if verdict, _ := mishap.Judge(run); verdict == mishap.Held && !before.State.Ended() {
		t.Errorf("crash %s: held", where)
	}
	if !run.State.Ended() {
		t.Errorf("crash %s: the run is %s", where, run.State)
	}
}
