package runner

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"

	"mishap"
)

// verify waits with exponential backoff until the steady state is back. It
// returns a reason to revert again if a fault is seen once more.
func (x *execution) verify(ctx context.Context) *mishap.StateChange {
	if again := x.seenAgain(ctx, min(checkTimeout, x.rec.run.Plan.Experiment.Recovery.Within.Std()), false); again != nil {
		return again
	}
	recovered, stopped := x.recover(ctx)
	if stopped != nil {
		x.rec.note(mishap.Entry{Note: &mishap.Note{Text: "stopped waiting for the steady state: " + stopped.Reason}})
		stopped.To = mishap.Completed
		x.lastLook(ctx)
		x.rec.record(mishap.Entry{State: stopped})
		return nil
	}
	x.rec.note(mishap.Entry{Recovered: &recovered})
	if again := x.seenAgain(ctx, checkTimeout, true); again != nil {
		return again
	}
	x.lastLook(ctx)
	x.rec.record(mishap.Entry{State: &mishap.StateChange{To: mishap.Completed}})
	return nil
}

// seenAgain looks, side by side, whether a reverted fault is in force. Only what
// was reverted by us counts: what others changed is theirs. What may be of before
// the revert is looked at once more if this is the last look, and says nothing else.
func (x *execution) seenAgain(ctx context.Context, limit time.Duration, last bool) (again *mishap.StateChange) {
	var all []mishap.Injection
	for _, in := range x.rec.run.Injections {
		if in.State == mishap.InjectionReverted {
			all = append(all, x.injection(in.ID))
		}
	}
	began := time.Now()
	var old []mishap.Injection
	var settled time.Time
	for _, e := range x.lookSideBySide(ctx, all, limit) {
		in := x.rec.run.Injection(e.Injection)
		if until := in.SettledAt.Add(in.Settles.Std()); e.InForce == mishap.Yes && began.Before(until) {
			old = append(old, x.injection(in.ID))
			if until.After(settled) {
				settled = until
			}
			continue
		}
		again = cmp.Or(again, x.seen(e))
	}
	if last && again == nil && old != nil && stay(ctx, time.Until(settled)) {
		for _, e := range x.lookSideBySide(ctx, old, limit) {
			again = cmp.Or(again, x.seen(e))
		}
	}
	return again
}

// lookSideBySide looks at all, with as few calls as can be.
func (x *execution) lookSideBySide(ctx context.Context, all []mishap.Injection, limit time.Duration) []mishap.Effect {
	calls := mishap.Calls(all)
	effects := make([][]mishap.Effect, len(calls))
	var looks sync.WaitGroup
	for i, call := range calls {
		looks.Go(func() { effects[i] = x.verifyCall(context.WithoutCancel(ctx), call, limit) })
	}
	looks.Wait()
	return slices.Concat(effects...)
}

// seen notes what a look at a reverted fault has seen, and says why to revert it
// again; nil: it is out.
func (x *execution) seen(e mishap.Effect) *mishap.StateChange {
	in := x.rec.run.Injection(e.Injection)
	if e.InForce == mishap.Yes || e.Traffic != nil || in.Felt != nil {
		x.rec.note(mishap.Entry{Effect: &e}) // also the last of the traffic counts, or that they are lost
	}
	if e.InForce != mishap.Yes {
		return nil
	}
	return &mishap.StateChange{Cause: mishap.CausePersist, Reason: fmt.Sprintf("%s on %s is seen again after its revert", in.Fault, in.Target.Label())}
}

// stay waits, and returns false if the caller leaves; an ordinary cancellation
// does not cut it short.
func stay(ctx context.Context, d time.Duration) bool {
	staying, leave := stays(ctx)
	defer leave()
	select {
	case <-time.After(d):
		return true
	case <-staying.Done():
		return false
	}
}

// recover asks for the steady state until all probes are met twice running. The
// first of the two looks must begin by the deadline, and one always begins at it:
// a look that is under way then is cut off for it. The second may come after.
func (x *execution) recover(ctx context.Context) (mishap.Recovered, *mishap.StateChange) {
	spec := x.rec.run.Plan.Experiment.Recovery
	start := x.rec.run.RevertedAt
	deadline := start.Add(spec.Within.Std())
	wait := pausesOf(spec)
	since := func(t time.Time) mishap.Duration { return mishap.Duration(t.Sub(start)) }
	met, before, out := false, start, mishap.Recovered{}
	for {
		began := time.Now()
		out.Attempts++
		cut := deadline
		if met || !began.Before(deadline) {
			cut = time.Time{}
		}
		result, why := x.steady(ctx, cut)
		switch late := !began.Before(deadline) || met && !time.Now().Before(deadline); {
		case result == mishap.Met && met:
			out.In = true
			return out, nil
		case result == mishap.Met:
			met, out.Took, out.Resolution, out.Answered = true, since(began), mishap.Duration(began.Sub(before)), since(time.Now())
		case late && ctx.Err() == nil:
			out.Took, out.Resolution, out.Answered = since(began), mishap.Duration(began.Sub(before)), since(time.Now())
			if result == mishap.Unmeasured {
				out.Blind = "at the deadline " + why
			}
			return out, nil
		default:
			met = false
		}
		if result == mishap.Unmet {
			before = began
		}
		pause := wait.NextBackOff()
		if met {
			pause = min(pause, spec.First.Std()) // the second of two looks need not wait long
		}
		if left := time.Until(deadline); left > 0 || !met {
			pause = min(pause, left)
		}
		if stop := x.pause(ctx, pause); stop != nil {
			return out, stop
		}
	}
}

// pausesOf are the waits between two looks.
func pausesOf(spec mishap.Recovery) *backoff.ExponentialBackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(spec.First.Std()), backoff.WithMultiplier(spec.Factor),
		backoff.WithMaxInterval(spec.Cap.Std()), backoff.WithRandomizationFactor(float64(spec.Jitter)),
		backoff.WithMaxElapsedTime(0))
}

// steady asks every probe of the after phase once: met if all were, unmet if one
// was not. It is unmeasured if it is not known, and why; so it is if the look was
// cut off, at a time that is zero if it is not to be.
func (x *execution) steady(ctx context.Context, cut time.Time) (result mishap.Result, why string) {
	if !cut.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, cut)
		defer cancel()
	}
	result = mishap.Met
	for _, o := range x.observeAll(ctx, mishap.After) {
		if o.Result != mishap.Met && ctx.Err() != nil {
			o.Result, o.Detail = mishap.Unmeasured, "the look was cut off: "+o.Detail
		}
		x.rec.note(mishap.Entry{Observation: &o})
		switch {
		case o.Result == mishap.Unmet:
			result = mishap.Unmet
		case o.Result != mishap.Met && result == mishap.Met:
			result, why = mishap.Unmeasured, fmt.Sprintf("%q could not be measured: %s", o.Probe, o.Detail)
		}
	}
	x.rec.write()
	return result, why
}

// pause waits, or returns the stop that came meanwhile.
func (x *execution) pause(ctx context.Context, d time.Duration) *mishap.StateChange {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case s := <-x.Stops:
		return &mishap.StateChange{Cause: s.Cause, Reason: s.Reason, By: s.By}
	case <-ctx.Done():
		return &mishap.StateChange{Cause: mishap.CauseInterrupt, Reason: "interrupted"}
	}
}
