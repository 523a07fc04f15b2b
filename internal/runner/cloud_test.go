package runner_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
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

// once fails one call of that name, before it took effect or after.
func once(call string, after bool) func(string, []string, bool) error {
	var mu sync.Mutex
	done := false
	return func(name string, _ []string, now bool) error {
		mu.Lock()
		defer mu.Unlock()
		if done || name != call || now != after {
			return nil
		}
		done = true
		return injectortest.ErrLost
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
				t.Fatalf("%s was in for %s", in.Target.ID, was)
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
			t.Errorf("the other fault was in for %s, and the first back after %s", held, back)
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

// TestALostAnswerLeavesNothingBehind loses the answer of each call, and fails it
// before; reads show what was 5 s before.
func TestALostAnswerLeavesNothingBehind(t *testing.T) {
	for _, call := range []string{"stop", "start", "describe"} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprint(call, " ", after), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := &injectortest.Cloud{Stops: time.Second, Starts: time.Second, Stale: 5 * time.Second}
					s := onCloud(t, c, 30*time.Second, []string{"i-1", "i-2"})
					c.Around = once(call, after)
					s.runner.Guards = nil
					s.run(t, t.Context())
					wantRunning(t, c, "i-1", "i-2")
				})
			})
		}
	}
}

func TestACallThatACrashCutOffIsLookedAtForAsLongAsItsAPIShowsThePast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &injectortest.Cloud{Stops: time.Second, Starts: time.Second, Stale: 5 * time.Second}
		s := onCloud(t, c, time.Minute, []string{"i-1"})
		c.Around = func(call string, _ []string, after bool) error {
			if call == "stop" && after {
				panic(errCrash) // the process is gone, and nobody has its answer
			}
			return nil
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		s.runner.Seen = func(e mishap.Entry, _ *mishap.Run) {
			if e.State != nil && e.State.To == mishap.Reverting {
				cancel(runner.ErrLeave)
			}
		}
		_, _ = s.runner.Run(ctx, s.first)
		crashed := slices.DeleteFunc(slices.Clone(s.ledger.entries), func(e mishap.Entry) bool { return e.State != nil && e.State.To == mishap.Reverting })
		for i := range crashed {
			crashed[i].Seq = int64(i + 1)
		}
		s.ledger.entries = crashed
		c.Around = nil
		next := &runner.Runner{Journal: s.ledger, Probes: s.runner.Probes, Restore: c.Kind().Restore, RevertWithin: time.Minute}
		run, err := next.Resume(t.Context(), crashed, s.ledger.injections(), mishap.StateChange{Cause: mishap.CauseCrash, Reason: "lost"})
		if err != nil || run.State != mishap.Completed || run.RevertedAt.Sub(run.RevertingAt) < 5*time.Second {
			t.Errorf("%s %s after it was taken over: %v", run.State, run.RevertedAt.Sub(run.RevertingAt), err)
		}
		wantRunning(t, c, "i-1")
	})
}

var errCrash = errors.New("crash")

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

// flickers shows after each revert what was for a while, as another copy of the
// data does.
type flickers struct {
	*injectortest.CloudStop
	back *time.Time
}

func (f flickers) RevertAll(ctx context.Context, all []mishap.Injection) []mishap.Reply[mishap.Reverted] {
	replies := f.CloudStop.RevertAll(ctx, all)
	if replies[0].Value.State.Settled() && f.back.IsZero() {
		*f.back = time.Now()
	}
	return replies
}

func (f flickers) VerifyAll(ctx context.Context, all []mishap.Injection) []mishap.Reply[mishap.Effect] {
	replies := f.CloudStop.VerifyAll(ctx, all)
	if !f.back.IsZero() && time.Since(*f.back) < 4*time.Second {
		replies[0].Value.InForce = mishap.Yes
	}
	return replies
}

func TestReadsOfBeforeTheRevertAreNoFaultThatIsSeenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &injectortest.Cloud{Stops: time.Second, Starts: time.Second, Stale: 4 * time.Second}
		s := onCloud(t, c, 30*time.Second, []string{"i-1"})
		s.runner.Faults[0].Injector = flickers{s.runner.Faults[0].Injector.(*injectortest.CloudStop), new(time.Time)}
		run := s.run(t, t.Context())
		wantVerdict(t, run, mishap.Held, "")
	})
}

func TestLooksAtABatchAreOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &injectortest.Cloud{}
		s := onCloud(t, c, 20*time.Second, instances(50), []string{"j-1", "j-2"})
		var mu sync.Mutex
		asked := map[int]int{}
		c.Around = func(call string, ids []string, after bool) error {
			mu.Lock()
			defer mu.Unlock()
			if call == "describe" && !after {
				asked[len(ids)]++
			}
			return nil
		}
		run := s.run(t, t.Context())
		wantVerdict(t, run, mishap.Held, "")
		if run.Injections[0].Looks < 20 || len(asked) != 2 || asked[50] > 30 || asked[2] > 30 {
			t.Errorf("%d looks at each were made in calls on so many: %v", run.Injections[0].Looks, asked)
		}
	})
}
