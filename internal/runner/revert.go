package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v4"

	"mishap"
)

// revertAll takes out everything that may be in, newest first, in rounds, so
// that one failing revert does not hold up the others. It needs no ledger. It
// returns false if something is stranded, or the caller leaves. The first round
// begins before the journal has it: no fault stays in for a slow disk.
func (x *execution) revertAll(ctx context.Context) bool {
	x.stop.To = mishap.Reverting
	x.rec.note(mishap.Entry{State: x.stop})
	wait := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(100*time.Millisecond), backoff.WithMultiplier(1.6),
		backoff.WithMaxInterval(5*time.Second), backoff.WithMaxElapsedTime(x.RevertWithin))
	failed := map[string]error{}
	for {
		if !x.revertRound(ctx, failed) {
			return false
		}
		if len(x.toRevert()) == 0 {
			return x.verifyNext(ctx)
		}
		pause := wait.NextBackOff()
		if pause == backoff.Stop {
			x.strand(ctx, failed)
			return false
		}
		if !sleep(ctx, pause) {
			return false
		}
	}
}

func (x *execution) verifyNext(ctx context.Context) bool {
	x.rec.try(ctx, mishap.Entry{State: &mishap.StateChange{To: mishap.Verifying}})
	return true
}

// toRevert lists what is not settled, newest first. What was prepared and never
// injected has nothing to revert, and a stranded one is tried again.
func (x *execution) toRevert() []*mishap.RunInjection { return x.rec.run.Outstanding() }

// attempt is a revert that begins, or how it ended.
type attempt struct {
	id    string
	ended *callResult // nil: it begins
}

// revertRound makes one attempt on everything that may be in. The calls never
// wait for the journal, which is written beside them.
func (x *execution) revertRound(ctx context.Context, failed map[string]error) bool {
	var ids []string
	for _, in := range x.toRevert() {
		ids = append(ids, in.ID)
	}
	attempts := make(chan attempt, 2*len(ids))
	go func() {
		defer close(attempts)
		for _, id := range ids {
			if errors.Is(context.Cause(ctx), ErrLeave) {
				return
			}
			attempts <- attempt{id: id}
			reverted, err := x.callRevert(context.WithoutCancel(ctx), id)
			attempts <- attempt{id, &callResult{id: id, reverted: reverted, err: err}}
		}
	}()
	_ = x.rec.flush(ctx)
	ended := 0
	for a := range attempts {
		if a.ended != nil {
			ended++
			x.recordRevert(ctx, *a.ended, failed)
		} else if x.rec.run.Injection(a.id).State != mishap.InjectionReverting {
			x.rec.note(change(a.id, mishap.InjectionReverting, ""))
		}
	}
	return ended == len(ids)
}

// recordRevert writes how an attempt ended.
func (x *execution) recordRevert(ctx context.Context, c callResult, failed map[string]error) {
	err := c.err
	if err == nil && !c.reverted.State.Settled() {
		err = fmt.Errorf("the injector answered %q, which settles nothing", c.reverted.State)
	}
	if err != nil {
		failed[c.id] = err
		x.Log.Warn("revert injection", "injection", c.id, "error", err)
		return
	}
	delete(failed, c.id)
	x.rec.try(ctx, change(c.id, c.reverted.State, c.reverted.Detail))
}

// callRevert reverts through the keeper, or, when that is gone, from the record.
func (x *execution) callRevert(ctx context.Context, id string) (r mishap.Reverted, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("revert panicked: %v", p)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	in, ok := x.undo[id]
	if !ok {
		return r, errors.New("its undo is not known")
	}
	if x.kept(in) && !x.keeperLost() {
		r, err = x.Keeper.Revert(ctx, id)
		if err == nil || !x.keeperLost() {
			return r, err
		}
	}
	injector, err := x.injector(in)
	if err != nil {
		return r, err
	}
	return injector.Revert(ctx, in)
}

func (x *execution) keeperLost() bool {
	select {
	case <-x.Keeper.Lost():
		return true
	default:
		return false
	}
}

// strand records what could not be reverted.
func (x *execution) strand(ctx context.Context, failed map[string]error) {
	reason := ""
	for _, in := range x.toRevert() {
		why := "it could not be reverted"
		if err := failed[in.ID]; err != nil {
			why = err.Error()
		}
		x.rec.note(change(in.ID, mishap.InjectionStranded, why))
		reason = fmt.Sprintf("%s on %s could not be reverted within %s: %s", in.Fault, in.Target.Label(), mishap.Duration(x.RevertWithin), why)
	}
	x.rec.try(ctx, mishap.Entry{State: &mishap.StateChange{To: mishap.Stranded, Reason: reason}})
}

// strandPersisting gives up on faults that come back after each revert.
func (x *execution) strandPersisting(ctx context.Context) {
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
	x.rec.try(ctx, mishap.Entry{State: &mishap.StateChange{To: mishap.Stranded, Reason: x.stop.Reason}})
}

// sleep waits, and returns false if the caller leaves; an ordinary
// cancellation does not cut a revert short.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		if errors.Is(context.Cause(ctx), ErrLeave) {
			return false
		}
		<-t.C
		return true
	}
}
