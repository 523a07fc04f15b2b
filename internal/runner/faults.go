package runner

import (
	"context"
	"time"

	"mishap"
)

// inject asks for every injection of the fault, in order. Injecting is durable
// before the call is made.
func (h *holding) inject(fault string) {
	delete(h.waiting, fault)
	for _, in := range h.rec.run.Injections {
		if in.Fault != fault || in.State != mishap.InjectionPrepared {
			continue
		}
		if err := h.rec.must(context.Background(), change(in.ID, mishap.InjectionInjecting, "")); err != nil {
			h.stop = internal(err)
			return
		}
		id := in.ID
		h.pending++
		h.calls <- func(ctx context.Context) event {
			return event{injected: &callResult{id: id, err: h.callInject(ctx, id)}}
		}
	}
}

func (h *holding) callInject(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, h.Inject)
	defer cancel()
	in := h.undo[id]
	if h.kept(in) {
		return h.Keeper.Inject(ctx, id)
	}
	return h.fault(in.Fault).Injector.Inject(ctx, in)
}

// schedule gives the faults that wait for this one their time, once all of its
// injections are in.
func (h *holding) schedule(in *mishap.RunInjection) {
	at, all := h.injectedAt(in.Fault)
	if !all {
		return
	}
	for _, f := range h.Faults {
		if _, waits := h.waiting[f.Name]; waits && f.After.Fault == in.Fault {
			h.waiting[f.Name] = at.Add(f.After.Wait.Std())
		}
	}
}

// injectedAt is when the last injection of the fault went in, and whether all
// of them did.
func (h *holding) injectedAt(fault string) (last time.Time, all bool) {
	all = true
	for _, in := range h.rec.run.Injections {
		if in.Fault != fault {
			continue
		}
		if in.InjectedAt.IsZero() {
			all = false
		}
		if in.InjectedAt.After(last) {
			last = in.InjectedAt
		}
	}
	return last, all
}

// advance injects and reverts what is due, moves to holding, and ends the hold
// when nothing is left in. It returns the time until it must be asked again.
func (h *holding) advance(ctx context.Context) time.Duration {
	now, next := time.Now(), time.Hour
	for _, f := range h.Faults { // in the order of the file, so that runs are alike
		due, waits := h.waiting[f.Name]
		switch {
		case !waits || due.IsZero():
		case !due.After(now):
			h.inject(f.Name)
		default:
			next = min(next, due.Sub(now))
		}
	}
	if h.rec.run.State == mishap.Baseline {
		return next
	}
	if h.stop == nil && h.rec.run.State == mishap.Injecting && h.initialIn() {
		if err := h.rec.must(ctx, mishap.Entry{State: &mishap.StateChange{To: mishap.Holding}}); err != nil {
			h.stop = internal(err)
		}
	}
	left := len(h.waiting) > 0 || h.pending > 0
	if wait := h.until.Sub(now); wait > 0 {
		left, next = true, min(next, wait)
	}
	for _, in := range h.rec.run.Injections {
		if in.Fault == mishap.ArmsFault {
			continue // in until everything else is out
		}
		if in.State != mishap.InjectionInjected || h.leaving[in.ID] {
			left = left || in.State == mishap.InjectionReverting
			continue
		}
		left = true
		next = min(next, h.ramp(ctx, in, now))
		if wait := in.InjectedAt.Add(in.For.Std()).Sub(now); wait > 0 {
			next = min(next, wait)
		} else if h.seen(in) {
			h.leave(ctx, in)
		}
	}
	if h.stop == nil && !left && h.rec.run.State == mishap.Holding {
		h.stop = h.elapsed()
	}
	return max(next, time.Millisecond)
}

// elapsed is the end of a run that nothing stopped.
func (h *holding) elapsed() *mishap.StateChange {
	reason := "every fault was in for as long as it should"
	if h.rec.run.Plan.NoFault {
		reason = "it went on without a fault for as long as it should"
	}
	return &mishap.StateChange{Cause: mishap.CauseElapsed, Reason: reason}
}

// initialIn reports whether every fault that waits for no other is in.
func (h *holding) initialIn() bool {
	for _, f := range h.Faults {
		if _, all := h.injectedAt(f.Name); f.After == nil && !all {
			return false
		}
	}
	return true
}

// seen reports whether the fault was looked at, and every probe asked, since it
// went in: a fault that nobody watched shows nothing, however short it is.
func (h *holding) seen(in *mishap.RunInjection) bool {
	if in.Looks == 0 {
		return false
	}
	for _, w := range h.rec.run.Watches {
		if w.Spec.In(mishap.During) && !h.asked[w.Spec.Name].After(in.InjectedAt) {
			return false
		}
	}
	return true
}

// leave ends one injection whose time is over. If it is the last one, the run
// goes to reverting, which does it; otherwise it is reverted while others hold.
func (h *holding) leave(ctx context.Context, in *mishap.RunInjection) {
	if h.last(in) {
		h.finalLook(ctx)
		h.stop = h.elapsed()
		return
	}
	h.leaving[in.ID] = true
	if e := h.verifyOnce(ctx, h.injection(in.ID)); e != nil {
		h.rec.note(mishap.Entry{Effect: e})
	}
	if err := h.rec.must(ctx, change(in.ID, mishap.InjectionReverting, "its time is over")); err != nil {
		h.stop = internal(err)
		return
	}
	id := in.ID
	h.pending++
	h.calls <- func(ctx context.Context) event {
		reverted, err := h.callRevert(ctx, id)
		return event{reverted: &callResult{id: id, reverted: reverted, err: err}}
	}
}

// last reports whether every other injection is out, or due as well.
func (h *holding) last(in *mishap.RunInjection) bool {
	if len(h.waiting) > 0 || h.pending > 0 {
		return false
	}
	now := time.Now()
	for _, other := range h.rec.run.Injections {
		due := other.State == mishap.InjectionInjected && !now.Before(other.InjectedAt.Add(other.For.Std())) && h.seen(other)
		if other != in && other.Fault != mishap.ArmsFault && !other.State.Settled() && !due {
			return false
		}
	}
	return true
}

// finalLook looks once more at everything that is in, so that the last traffic
// counts too.
func (h *holding) finalLook(ctx context.Context) {
	for _, in := range h.rec.run.Injections {
		if in.State != mishap.InjectionInjected || h.leaving[in.ID] {
			continue
		}
		if e := h.verifyOnce(ctx, h.injection(in.ID)); e != nil {
			h.rec.note(mishap.Entry{Effect: e})
		}
	}
}
