package keeper

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mishap"
	"mishap/internal/revert"
)

// attempt makes one attempt on injections that one call takes. A call that injects
// one of them is told to end, and waited for. Reverting needs no disk: what was found
// out is written down by [keeping.note], after it was told.
func (k *keeping) attempt(some []*held) []mishap.Reply[mishap.Reverted] {
	k.mu.Lock()
	for _, h := range some {
		h.unwanted = true
		if h.cancel != nil {
			h.cancel()
		}
	}
	k.mu.Unlock()
	replies := revert.Attempt(context.Background(), &k.turns, &k.settling, injections(some), func(ctx context.Context, all []mishap.Injection) []mishap.Reply[mishap.Reverted] {
		return mishap.RevertAll(ctx, some[0].injector, all)
	})
	k.settle(some, replies)
	return replies
}

// settle remembers what an attempt has settled.
func (k *keeping) settle(some []*held, replies []mishap.Reply[mishap.Reverted]) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, r := range replies {
		if settles(r) {
			some[i].state = r.Value.State
		}
	}
}

// settles reports whether an answer settles its injection. One that may be of before
// the fault does not: undo stays until it was looked at again.
func settles(r mishap.Reply[mishap.Reverted]) bool { return r.Err == nil && r.Value.State.Settled() }

// note writes down what an attempt has settled.
func (k *keeping) note(some []*held, replies []mishap.Reply[mishap.Reverted]) {
	var all []record
	for i, r := range replies {
		if settles(r) {
			all = append(all, some[i].record(r.Value.State, r.Value.Detail))
		}
	}
	if all != nil {
		_ = k.undo.write(all...)
	}
}

// reverter takes out what is handed over.
func (k *keeping) reverter(tell func(revert.Result)) revert.Reverter {
	return revert.Reverter{
		Within: k.RevertWithin, Tell: tell,
		Attempt: func(all []mishap.Injection) []mishap.Reply[mishap.Reverted] {
			if k.others(all[0]) { // it is not this keeper's to revert, nor to settle
				lapsed := mishap.Reply[mishap.Reverted]{Value: mishap.Reverted{State: mishap.InjectionSuperseded}}
				return slices.Repeat([]mishap.Reply[mishap.Reverted]{lapsed}, len(all))
			}
			return k.attemptOurs(all)
		},
	}
}

// attemptOurs makes an attempt on what is not another run's by now, and writes down
// what that has settled.
func (k *keeping) attemptOurs(all []mishap.Injection) []mishap.Reply[mishap.Reverted] {
	ctx, cancel := context.WithTimeout(context.Background(), mishap.CallWithin)
	defer cancel()
	some, err := k.find(mishap.InjectionIDs(all))
	if err != nil {
		return mishap.Same[mishap.Reverted](len(all), err)
	}
	replies := revert.Ours(all, k.yields(ctx), func(ours []mishap.Injection) []mishap.Reply[mishap.Reverted] {
		some, err := k.find(mishap.InjectionIDs(ours))
		if err != nil {
			return mishap.Same[mishap.Reverted](len(ours), err)
		}
		return k.attempt(some)
	})
	k.settle(some, replies)
	k.note(some, replies)
	return replies
}

// expire reverts what is in long after its time.
func (k *keeping) expire() {
	var due []mishap.Injection
	for _, h := range k.outstanding() {
		k.mu.Lock()
		if h.end.passed() && !h.expiring {
			h.expiring = true
			due = append(due, h.in)
		}
		k.mu.Unlock()
	}
	if due == nil {
		return
	}
	go func() {
		k.reverter(func(revert.Result) {}).All(context.Background(), mishap.Calls(due), nil)
		k.mu.Lock()
		defer k.mu.Unlock()
		for _, h := range k.list {
			h.expiring = false
		}
	}()
}

// revertAll reverts everything, newest first as long as that is quick.
func (k *keeping) revertAll() error {
	k.mu.Lock()
	k.over = true
	k.mu.Unlock()
	k.vouch()
	over := make(chan struct{})
	defer close(over)
	go k.vouchUntil(over)
	var stranded []error
	k.reverter(func(r revert.Result) {
		if r.GaveUp {
			stranded = append(stranded, fmt.Errorf("injection %s is stranded: %w", r.ID, r.Err))
			k.strand(r)
		}
	}).All(context.Background(), mishap.Calls(injections(k.outstanding())), nil)
	return errors.Join(stranded...)
}

// vouchUntil vouches, however long calls take.
func (k *keeping) vouchUntil(over <-chan struct{}) {
	t := time.NewTicker(vouchEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			k.vouch()
		case <-over:
			return
		}
	}
}

// strand records what was given up.
func (k *keeping) strand(r revert.Result) {
	some, err := k.find([]string{r.ID})
	if err != nil {
		return
	}
	k.mu.Lock()
	some[0].state = mishap.InjectionStranded
	k.mu.Unlock()
	_ = k.undo.write(some[0].record(mishap.InjectionStranded, mishap.Advised(r.Err)))
}
