package runner

import (
	"context"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v4"

	"mishap"
)

// verify waits with exponential backoff until the steady state is back. It
// returns a reason to revert again if a fault is seen once more.
func (x *execution) verify(ctx context.Context) *mishap.StateChange {
	if again := x.seenAgain(ctx); again != nil {
		return again
	}
	recovered, stopped := x.recover(ctx)
	if stopped != nil {
		x.rec.note(mishap.Entry{Note: &mishap.Note{Text: "stopped waiting for the steady state: " + stopped.Reason}})
		stopped.To = mishap.Completed
		x.rec.try(ctx, mishap.Entry{State: stopped})
		return nil
	}
	x.rec.note(mishap.Entry{Recovered: &recovered})
	if again := x.seenAgain(ctx); again != nil {
		return again
	}
	x.rec.try(ctx, mishap.Entry{State: &mishap.StateChange{To: mishap.Completed}})
	return nil
}

// seenAgain looks whether a reverted fault is in force. Only what was reverted
// by us counts: what others changed is theirs.
func (x *execution) seenAgain(ctx context.Context) *mishap.StateChange {
	for _, in := range x.rec.run.Injections {
		if in.State != mishap.InjectionReverted {
			continue
		}
		e := x.verifyOnce(context.WithoutCancel(ctx), x.injection(in.ID))
		if e.InForce == mishap.Yes || e.Traffic != nil {
			x.rec.note(mishap.Entry{Effect: e}) // also the last of the traffic counts
		}
		if e.InForce != mishap.Yes {
			continue
		}
		return &mishap.StateChange{Cause: mishap.CausePersist, Reason: fmt.Sprintf("%s on %s is seen again after its revert", in.Fault, in.Target.Label())}
	}
	return nil
}

// recover asks for the steady state until all probes are met twice running, or
// the deadline has passed. Recovery is timed from the verified revert to the
// first of the two looks.
func (x *execution) recover(ctx context.Context) (mishap.Recovered, *mishap.StateChange) {
	spec := x.rec.run.Plan.Experiment.Recovery
	start := x.rec.run.RevertedAt
	wait := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(spec.First.Std()), backoff.WithMultiplier(spec.Factor),
		backoff.WithMaxInterval(spec.Cap.Std()), backoff.WithRandomizationFactor(float64(spec.Jitter)),
		backoff.WithMaxElapsedTime(0))
	met, before, out := false, start, mishap.Recovered{}
	for {
		looked := time.Now()
		out.Attempts++
		if !x.steady(ctx) {
			met = false
		} else if met {
			out.In = true
			return out, nil
		} else {
			met, out.Took, out.Resolution = true, mishap.Duration(looked.Sub(start)), mishap.Duration(looked.Sub(before))
		}
		before = looked
		pause := wait.NextBackOff()
		if met {
			pause = min(pause, spec.First.Std()) // the second of two looks need not wait long
		}
		if time.Since(start)+pause > spec.Within.Std() && !met {
			return mishap.Recovered{Took: mishap.Duration(time.Since(start)), Attempts: out.Attempts}, nil
		}
		if stop := x.pause(ctx, pause); stop != nil {
			return out, stop
		}
	}
}

// steady asks every probe of the after phase once and reports whether all were
// met.
func (x *execution) steady(ctx context.Context) bool {
	all := true
	for _, o := range x.observeAll(ctx, mishap.After) {
		x.rec.note(mishap.Entry{Observation: &o})
		all = all && o.Result == mishap.Met
	}
	_ = x.rec.flush(ctx) // kept and written later if the ledger is away
	return all
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
