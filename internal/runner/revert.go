package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"mishap"
	"mishap/internal/revert"
)

// revertAll takes out everything that may be in, newest first, and the arms last.
// It needs no ledger, and waits for none. It returns false if something is
// stranded, or the caller leaves.
func (x *execution) revertAll(ctx context.Context) bool {
	x.stop.To = mishap.Reverting
	x.rec.note(mishap.Entry{State: x.stop})
	var faults, arms []mishap.Injection
	for _, in := range x.rec.run.Outstanding() {
		if in.Fault == mishap.ArmsFault {
			arms = append(arms, x.injection(in.ID))
		} else {
			faults = append(faults, x.injection(in.ID))
		}
	}
	staying, leave := stays(ctx)
	defer leave()
	r := x.reverter(ctx)
	r.Begin = x.noteReverting
	r.Tell = x.recordRevert
	if !r.All(staying, mishap.Calls(faults), mishap.Calls(arms)) {
		return false
	}
	if left := x.rec.run.Outstanding(); len(left) > 0 {
		x.rec.record(mishap.Entry{State: &mishap.StateChange{To: mishap.Stranded, Reason: stranded(left[0])}})
		return false
	}
	x.rec.record(mishap.Entry{State: &mishap.StateChange{To: mishap.Verifying}})
	return true
}

// reverter makes attempts for the run.
func (x *execution) reverter(ctx context.Context) revert.Reverter {
	return revert.Reverter{
		Within: x.RevertWithin,
		Attempt: func(all []mishap.Injection) []mishap.Reply[mishap.Reverted] {
			return x.callRevert(context.WithoutCancel(ctx), all)
		},
	}
}

// stays is a context that ends only when the caller leaves the faults to their
// keepers: an ordinary cancellation does not cut a revert short.
func stays(ctx context.Context) (context.Context, func()) {
	staying, leave := context.WithCancel(context.WithoutCancel(ctx))
	ended := context.AfterFunc(ctx, func() {
		if left(ctx) {
			leave()
		}
	})
	return staying, func() { ended(); leave() }
}

// left reports whether the caller leaves the faults to their keepers.
func left(ctx context.Context) bool { return errors.Is(context.Cause(ctx), ErrLeave) }

// noteReverting notes that attempts begin. It is written, and not waited for.
func (x *execution) noteReverting(all []mishap.Injection) {
	for _, in := range all {
		if x.rec.run.Injection(in.ID).State != mishap.InjectionReverting {
			x.rec.note(change(in.ID, mishap.InjectionReverting, ""))
		}
	}
	x.rec.write()
}

// recordRevert notes how an attempt ended.
func (x *execution) recordRevert(r revert.Result) {
	switch {
	case r.Err == nil:
		x.rec.record(change(r.ID, r.State, r.Detail))
	case r.GaveUp:
		x.rec.record(change(r.ID, mishap.InjectionStranded, mishap.Advised(r.Err)))
	case r.State == mishap.InjectionReverting:
		x.Log.Debug("revert injection", "injection", r.ID, "waits", r.Err)
	default:
		x.Log.Warn("revert injection", "injection", r.ID, "error", r.Err)
		x.recordFailed(r)
	}
}

// recordFailed notes that an attempt failed which is made again: the first of an
// injection, and those that fail in other words.
func (x *execution) recordFailed(r revert.Result) {
	in, why := x.rec.run.Injection(r.ID), mishap.Advised(r.Err)
	if in.State == mishap.InjectionReverting && in.Detail != why && len(in.Failed) < mishap.MostFailedReverts {
		x.rec.record(change(r.ID, mishap.InjectionReverting, why))
	}
}

// stranded says of one that was given up why a person must act.
func stranded(in *mishap.RunInjection) string {
	return fmt.Sprintf("%s on %s could not be reverted in time: %s", in.Fault, in.Target.Label(), in.Detail)
}

// callRevert makes one attempt on injections that one call takes: on what is the
// run's and has its undo.
func (x *execution) callRevert(ctx context.Context, all []mishap.Injection) []mishap.Reply[mishap.Reverted] {
	return revert.Attempt(ctx, &x.turns, &x.settling, all, func(ctx context.Context, all []mishap.Injection) []mishap.Reply[mishap.Reverted] {
		taken := x.Taken.Yields(ctx, x.injector)
		return revert.Ours(all, func(in mishap.Injection) (string, error) { return x.yields(ctx, in, taken) }, func(ours []mishap.Injection) []mishap.Reply[mishap.Reverted] {
			return x.revertOurs(ctx, ours)
		})
	})
}

// yields says why an injection is not the run's to revert, or cannot be reverted.
func (x *execution) yields(ctx context.Context, in mishap.Injection, taken func(mishap.Injection) (string, error)) (string, error) {
	if in.Injector == "" {
		return "", errors.New("its undo is not known")
	}
	if why, err := taken(in); why != "" || err != nil || x.Yield == nil {
		return why, err
	}
	return x.Yield(ctx, in)
}

// revertOurs reverts through the keeper, or, when that is gone, from the records.
func (x *execution) revertOurs(ctx context.Context, all []mishap.Injection) []mishap.Reply[mishap.Reverted] {
	if x.kept(all[0]) && !x.keeperLost() {
		replies := x.Keeper.Revert(ctx, mishap.InjectionIDs(all))
		failed := func(r mishap.Reply[mishap.Reverted]) bool { return r.Err != nil }
		if !slices.ContainsFunc(replies, failed) || !x.keeperLost() {
			return replies
		}
	}
	injector, err := x.injector(all[0])
	if err != nil {
		return mishap.Same[mishap.Reverted](len(all), err)
	}
	return mishap.RevertAll(ctx, injector, all)
}

func (x *execution) keeperLost() bool {
	select {
	case <-x.Keeper.Lost():
		return true
	default:
		return false
	}
}

// strandPersisting gives up on faults that come back after each revert.
func (x *execution) strandPersisting() {
	if x.rec.run.State != mishap.Verifying {
		return
	}
	x.rec.note(mishap.Entry{State: &mishap.StateChange{To: mishap.Reverting, Cause: mishap.CausePersist, Reason: x.stop.Reason}})
	for _, in := range x.rec.run.Injections {
		if in.Effect != nil && in.Effect.InForce == mishap.Yes {
			x.rec.note(change(in.ID, mishap.InjectionReverting, ""))
			x.rec.note(change(in.ID, mishap.InjectionStranded, "it is seen again after every revert"))
		}
	}
	x.rec.record(mishap.Entry{State: &mishap.StateChange{To: mishap.Stranded, Reason: x.stop.Reason}})
}
