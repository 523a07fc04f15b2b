package runner_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/internal/injectortest"
	"mishap/internal/runner"
)

// onCloud is a set with a fault on instances of a cloud for each list of them, in
// their order, without a keeper.
func onCloud(t *testing.T, c *injectortest.Cloud, long time.Duration, faults ...[]string) *set {
	t.Helper()
	s := newSet(t)
	kind := c.Kind()
	plan := s.first.Planned
	for n, ids := range faults {
		c.Run(ids...)
		f := fault(fmt.Sprint("f", n+1), long)
		f.Injector, f.Targets = kind.Name, injectortest.Raw(ids)
		injector, err := kind.New(f)
		if err != nil {
			t.Fatal(err)
		}
		one := runner.Fault{Fault: f, Injector: injector, Kind: kind}
		found, err := one.Prepare(t.Context(), mishap.Request{})
		if err != nil {
			t.Fatal(err)
		}
		plan.Experiment.Faults = append(plan.Experiment.Faults, f)
		plan.Injections = append(plan.Injections, found...)
		s.runner.Faults = append(s.runner.Faults, one)
	}
	s.runner.Keeper = nil
	s.runner.Restore = kind.Restore
	return s
}

func instances(n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprintf("i-%03d", i))
	}
	return ids
}

// wantRunning looks when everything that is still to come has come.
func wantRunning(t *testing.T, c *injectortest.Cloud, ids ...string) {
	t.Helper()
	time.Sleep(10 * time.Minute)
	for _, id := range ids {
		if state := c.State(id); state != "running" {
			t.Errorf("instance %s is %s in the end", id, state)
		}
	}
}

// once lets one call of that name go wrong, but none that prepares.
func once(c *injectortest.Cloud, call string, fate injectortest.Fate) func(string) injectortest.Fate {
	var done atomic.Bool
	return func(name string) injectortest.Fate {
		if name != call || name == "describe" && c.Calls("stop") == 0 || done.Swap(true) {
			return ""
		}
		return fate
	}
}

func TestAHundredInstancesThatTakeTheirTimeAreStoppedAndStartedInFewCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &injectortest.Cloud{Stops: 40 * time.Second, Starts: 20 * time.Second, Stale: 2 * time.Second}
		ids := instances(100)
		s := onCloud(t, c, time.Minute, ids)
		prepared := c.Calls("describe")
		run := s.run(t, t.Context())
		wantVerdict(t, run, mishap.Held, "")
		calls := c.Calls("describe") + c.Calls("stop") + c.Calls("start") - prepared
		if took := run.RevertedAt.Sub(run.RevertingAt); took > 30*time.Second || calls > 150 || c.Calls("stop") != 1 {
			t.Errorf("they ran %s after the revert began, after %d calls, %d of them to stop", took, calls, c.Calls("stop"))
		}
		for _, in := range run.Injections {
			if was := run.RevertingAt.Sub(in.InjectedAt); was < time.Minute || was > time.Minute+time.Second {
				t.Fatalf("%s was in force for %s", in.Target.ID, was)
			}
		}
		wantRunning(t, c, ids...)
	})
}

func TestWhatStillStopsWhenItIsRevertedIsAskedAgainUntilItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &injectortest.Cloud{Stops: 40 * time.Second, Starts: 20 * time.Second, Stale: 2 * time.Second}
		ids := instances(20)
		s := onCloud(t, c, 5*time.Second, ids)
		s.runner.RevertWithin = time.Second // what its kind says is longer
		run := s.run(t, t.Context())
		wantVerdict(t, run, mishap.Held, "")
		if took := run.RevertedAt.Sub(run.RevertingAt); took > 70*time.Second {
			t.Errorf("they ran %s after the revert began", took)
		}
		wantRunning(t, c, ids...)
	})
}

func TestWhatIsNotBackWhenItsKindSaysIsStranded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &injectortest.Cloud{Stops: time.Hour}
		s := onCloud(t, c, 5*time.Second, instances(2))
		run := s.run(t, t.Context())
		took := time.Since(run.RevertingAt)
		if run.State != mishap.Stranded || took < 15*time.Minute || took > 16*time.Minute || !strings.Contains(run.Injections[0].Detail, "it is not back yet: instance is stopping") {
			t.Errorf("%s after %s: %s", run.State, took, run.Injections[0].Detail)
		}
	})
}

func TestAFaultThatIsNotBackYetHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &injectortest.Cloud{Stops: 40 * time.Second, Starts: 20 * time.Second}
		s := onCloud(t, c, 10*time.Second, []string{"i-1", "i-2"})
		other := fault("b", 3*time.Minute)
		s.first.Planned.Experiment.Faults = append(s.first.Planned.Experiment.Faults, other)
		found, _ := injector{s.w, s.p, "b"}.Prepare(t.Context(), mishap.Request{})
		found[0].Fault = "b"
		s.first.Planned.Injections = append(s.first.Planned.Injections, found...)
		s.runner.Faults = append(s.runner.Faults, runner.Fault{Fault: other, Injector: injector{s.w, s.p, "b"}})
		run := s.run(t, t.Context())
		wantVerdict(t, run, mishap.Held, "")
		back := run.Injections[0].SettledAt.Sub(run.Injections[0].InjectedAt)
		if held := run.RevertingAt.Sub(run.Injections[2].InjectedAt); held < 3*time.Minute || back > 75*time.Second {
			t.Errorf("the other fault was in force for %s, and the first back after %s", held, back)
		}
		wantRunning(t, c, "i-1", "i-2")
	})
}

// hangs is an injector whose calls on one target obey nobody.
type hangs struct {
	mishap.Injector
	hang
	target string
}

func (h hangs) Revert(ctx context.Context, in mishap.Injection) (mishap.Reverted, error) {
	if in.Target.ID == h.target {
		h.up()
	}
	return h.Injector.Revert(ctx, in)
}

func TestOneThatHangsHoldsUpNoOtherThatIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSet(t, fault("a", time.Second), fault("b", time.Second))
		s.clocks()
		h := make(hang)
		s.w.fail["revert a"] = 3
		s.runner.Faults[1].Injector = hangs{s.runner.Faults[1].Injector, h, "b"}
		run, err := s.runner.Run(t.Context(), s.first)
		if a := run.Injections[0]; err != nil || a.State != mishap.InjectionReverted || a.SettledAt.Sub(run.RevertingAt) > 5*time.Second || run.State != mishap.Stranded {
			t.Errorf("a is %s %s after the reverting began, the run %s (%v)", a.State, a.SettledAt.Sub(run.RevertingAt), run.State, err)
		}
		close(h)
	})
}

// TestALostAnswerLeavesNothingBehind lets each call go wrong; reads show what was
// 5 s before.
func TestALostAnswerLeavesNothingBehind(t *testing.T) {
	for _, call := range []string{"stop", "start", "describe"} {
		for _, fate := range []injectortest.Fate{injectortest.FailsBefore, injectortest.FailsAfter, injectortest.AnswersLate} {
			t.Run(call+" "+string(fate), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := &injectortest.Cloud{Stops: time.Second, Starts: time.Second, Stale: 5 * time.Second}
					s := onCloud(t, c, 30*time.Second, []string{"i-1", "i-2"})
					c.Judge(once(c, call, fate))
					s.run(t, t.Context())
					wantRunning(t, c, "i-1", "i-2")
				})
			})
		}
	}
}

// TestACallThatACrashCutOffIsLookedAtForAsLongAsItsAPIShowsThePast ends a process
// when its call has taken effect, and nobody has its answer.
func TestACallThatACrashCutOffIsLookedAtForAsLongAsItsAPIShowsThePast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &injectortest.Cloud{Stops: time.Second, Starts: time.Second, Stale: 5 * time.Second}
		s := onCloud(t, c, time.Minute, []string{"i-1"})
		c.Judge(once(c, "stop", injectortest.FailsAfter))
		ctx, crash := context.WithCancelCause(t.Context())
		s.runner.Seen = func(e mishap.Entry, _ *mishap.Run) {
			if e.State != nil && e.State.To == mishap.Reverting {
				crash(runner.ErrLeave)
			}
		}
		_, _ = s.runner.Run(ctx, s.first)
		journal := s.ledger.entries
		for journal[len(journal)-1].Injection == nil || journal[len(journal)-1].Injection.To != mishap.InjectionInjecting {
			journal = journal[:len(journal)-1]
		}
		s.ledger.entries = journal
		next := &runner.Runner{Journal: s.ledger, Probes: s.runner.Probes, Restore: c.Kind().Restore, RevertWithin: time.Minute}
		run, err := next.Resume(t.Context(), journal, s.ledger.injections(), mishap.StateChange{Cause: mishap.CauseCrash, Reason: "lost"})
		if err != nil || run.State != mishap.Completed || run.RevertedAt.Sub(run.RevertingAt) < 5*time.Second {
			t.Errorf("%s %s after it was taken over: %v", run.State, run.RevertedAt.Sub(run.RevertingAt), err)
		}
		wantRunning(t, c, "i-1")
	})
}

func TestReadsOfBeforeTheFaultSayNothingOfItsEffect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &injectortest.Cloud{Stops: time.Second, Starts: time.Second, Stale: 4 * time.Second}
		s := onCloud(t, c, 30*time.Second, []string{"i-1"})
		s.runner.Faults[0].Injector = hasty{s.runner.Faults[0].Injector.(*injectortest.CloudStop)}
		run := s.run(t, t.Context())
		wantVerdict(t, run, mishap.Held, "")
		wantRunning(t, c, "i-1")
	})
}

// hasty returns at once, without a look.
type hasty struct{ *injectortest.CloudStop }

func (h hasty) InjectAll(_ context.Context, all []mishap.Injection) []error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	errs := h.CloudStop.InjectAll(ctx, all)
	for i := range errs {
		if errors.Is(errs[i], context.DeadlineExceeded) {
			errs[i] = nil
		}
	}
	return errs
}

// slow takes its time to look, as it does at a hundred things one by one.
type slow struct{ *injectortest.CloudStop }

func (l slow) VerifyAll(ctx context.Context, all []mishap.Injection) []mishap.Reply[mishap.Effect] {
	select {
	case <-time.After(15 * time.Second):
	case <-ctx.Done():
		return mishap.Same[mishap.Effect](len(all), ctx.Err())
	}
	return l.CloudStop.VerifyAll(context.WithoutCancel(ctx), all)
}

func TestALookThatTakesItsTimeSeesTheEffect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &injectortest.Cloud{Stops: time.Second, Starts: time.Second}
		s := onCloud(t, c, 90*time.Second, []string{"i-1"})
		s.runner.Faults[0].Injector = slow{s.runner.Faults[0].Injector.(*injectortest.CloudStop)}
		wantVerdict(t, s.run(t, t.Context()), mishap.Held, "")
		wantRunning(t, c, "i-1")
	})
}

// flickers shows after each revert what was for a while, as another copy of the
// data does.
type flickers struct {
	*injectortest.CloudStop
	back *atomic.Pointer[time.Time]
}

func (f flickers) RevertAll(ctx context.Context, all []mishap.Injection) []mishap.Reply[mishap.Reverted] {
	replies := f.CloudStop.RevertAll(ctx, all)
	if replies[0].Value.State.Settled() {
		now := time.Now()
		f.back.CompareAndSwap(nil, &now)
	}
	return replies
}

func (f flickers) VerifyAll(ctx context.Context, all []mishap.Injection) []mishap.Reply[mishap.Effect] {
	replies := f.CloudStop.VerifyAll(ctx, all)
	if back := f.back.Load(); back != nil && time.Since(*back) < 4*time.Second {
		replies[0].Value.InForce = mishap.Yes
	}
	return replies
}

func TestReadsOfBeforeTheRevertAreNoFaultThatIsSeenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &injectortest.Cloud{Stops: time.Second, Starts: time.Second, Stale: 4 * time.Second}
		s := onCloud(t, c, 30*time.Second, []string{"i-1"})
		s.runner.Faults[0].Injector = flickers{s.runner.Faults[0].Injector.(*injectortest.CloudStop), new(atomic.Pointer[time.Time])}
		run := s.run(t, t.Context())
		wantVerdict(t, run, mishap.Held, "")
	})
}

func TestAPrepareThatDoesNotAnswerIsRefusedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &injectortest.Cloud{}
		s := onCloud(t, c, time.Minute, []string{"i-1"})
		c.Judge(func(string) injectortest.Fate { return injectortest.AnswersLate })
		began := time.Now()
		run := s.run(t, t.Context())
		if took := time.Since(began); run.State != mishap.Refused || took > 3*time.Minute || c.Calls("stop") != 0 {
			t.Errorf("it is %s after %s", run.State, took)
		}
	})
}

func TestLooksAtABatchAreOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &injectortest.Cloud{}
		s := onCloud(t, c, 20*time.Second, instances(50), []string{"j-1", "j-2"})
		var mu sync.Mutex
		asked := map[int]int{}
		c.Around = func(call string, ids []string) {
			mu.Lock()
			defer mu.Unlock()
			if call == "describe" {
				asked[len(ids)]++
			}
		}
		run := s.run(t, t.Context())
		wantVerdict(t, run, mishap.Held, "")
		if run.Injections[0].Looks < 20 || len(asked) != 2 || asked[50] > 30 || asked[2] > 30 {
			t.Errorf("%d looks at each were made in calls on so many: %v", run.Injections[0].Looks, asked)
		}
	})
}
