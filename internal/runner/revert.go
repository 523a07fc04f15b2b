package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v4"

	"mishap"
	"mishap/internal/bounded"
)

// headStart is how long reverts are made one after another, newest first. What
// is left then begins at once, so that none is held up by another.
const headStart = 250 * time.Millisecond

// revertAll takes out everything that may be in, newest first, in rounds. It
// needs no ledger, and waits for none. It returns false if something is stranded,
// or the caller leaves.
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
			x.rec.record(mishap.Entry{State: &mishap.StateChange{To: mishap.Verifying}})
			return true
		}
		pause := wait.NextBackOff()
		if pause == backoff.Stop {
			x.strand(failed)
			return false
		}
		if !sleep(ctx, pause) {
			return false
		}
	}
}

// toRevert lists what is not settled, newest first. What was prepared and never
// injected has nothing to revert, and a stranded one is tried again.
func (x *execution) toRevert() []*mishap.RunInjection { return x.rec.run.Outstanding() }

// revertRound makes one attempt on everything that may be in, and on the arms
// when the others have ended.
func (x *execution) revertRound(ctx context.Context, failed map[string]error) bool {
	var faults, arms []string
	for _, in := range x.toRevert() {
		if in.Fault == mishap.ArmsFault {
			arms = append(arms, in.ID)
		} else {
			faults = append(faults, in.ID)
		}
	}
	return x.revertThese(ctx, faults, failed) && x.revertThese(ctx, arms, failed)
}

// revertThese makes one attempt on each, in their order as long as that is
// quick. It returns false if the caller leaves.
func (x *execution) revertThese(ctx context.Context, ids []string, failed map[string]error) bool {
	ended := make(chan callResult, len(ids))
	begun := 0
	begin := func(most int) {
		for ; begun < min(most, len(ids)) && !left(ctx); begun++ {
			id := ids[begun]
			go func() {
				reverted, err := x.callRevert(context.WithoutCancel(ctx), id)
				ended <- callResult{id: id, reverted: reverted, err: err}
			}()
			if x.rec.run.Injection(id).State != mishap.InjectionReverting {
				x.rec.note(change(id, mishap.InjectionReverting, ""))
			}
		}
		x.rec.write()
	}
	late := time.NewTimer(headStart)
	defer late.Stop()
	leaves := ctx.Done()
	begin(1)
	for n := 0; n < len(ids) && !left(ctx); {
		select {
		case c := <-ended:
			n++
			x.recordRevert(c, failed)
			begin(n + 1)
		case <-late.C:
			begin(len(ids))
		case <-leaves:
			leaves = nil // only one who leaves ends the reverts
		}
	}
	return !left(ctx)
}

// left reports whether the caller leaves the faults to their keepers.
func left(ctx context.Context) bool { return errors.Is(context.Cause(ctx), ErrLeave) }

// recordRevert notes how an attempt ended.
func (x *execution) recordRevert(c callResult, failed map[string]error) {
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
	x.rec.record(change(c.id, c.reverted.State, c.reverted.Detail))
}

// callRevert makes one attempt to revert, once an earlier call on the injection
// has returned.
func (x *execution) callRevert(ctx context.Context, id string) (mishap.Reverted, error) {
	in, ok := x.undo[id]
	if !ok {
		return mishap.Reverted{}, errors.New("its undo is not known")
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	leave, err := x.turns.Take(ctx, id)
	if err != nil {
		leave()
		return mishap.Reverted{}, err
	}
	return bounded.Call(ctx, callTimeout, "revert", func(ctx context.Context) (mishap.Reverted, error) {
		defer leave()
		return x.revertOne(ctx, in)
	})
}

// revertOne reverts through the keeper, or, when that is gone, from the record.
func (x *execution) revertOne(ctx context.Context, in mishap.Injection) (mishap.Reverted, error) {
	if x.Yield != nil {
		if why, err := x.Yield(ctx, in); why != "" || err != nil {
			return mishap.Reverted{State: mishap.InjectionSuperseded, Detail: why}, err
		}
	}
	if x.kept(in) && !x.keeperLost() {
		r, err := x.Keeper.Revert(ctx, in.ID)
		if err == nil || !x.keeperLost() {
			return r, err
		}
	}
	injector, err := x.injector(in)
	if err != nil {
		return mishap.Reverted{}, err
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
func (x *execution) strand(failed map[string]error) {
	reason := ""
	for _, in := range x.toRevert() {
		why := "it could not be reverted"
		if err := failed[in.ID]; err != nil {
			why = err.Error()
		}
		x.rec.note(change(in.ID, mishap.InjectionStranded, why))
		reason = fmt.Sprintf("%s on %s could not be reverted within %s: %s", in.Fault, in.Target.Label(), mishap.Duration(x.RevertWithin), why)
	}
	x.rec.record(mishap.Entry{State: &mishap.StateChange{To: mishap.Stranded, Reason: reason}})
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

// sleep waits, and returns false if the caller leaves; an ordinary
// cancellation does not cut a revert short.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		if !left(ctx) {
			<-t.C
		}
		return !left(ctx)
	}
}
