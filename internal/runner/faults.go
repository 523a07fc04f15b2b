package runner

import (
	"context"
	"slices"
	"time"

	"mishap"
	"mishap/internal/bounded"
	"mishap/internal/revert"
)

// inject asks for every injection of the fault, in order. Injecting is durable
// before a call is made; the calls wait for that, and not the loop.
func (h *holding) inject(fault string) {
	delete(h.waiting, fault)
	var all []mishap.Injection
	for _, in := range h.rec.run.Injections {
		if in.Fault == fault && in.State == mishap.InjectionPrepared {
			all = append(all, h.undo[in.ID])
			h.rec.record(change(in.ID, mishap.InjectionInjecting, ""))
		}
	}
	seq := h.rec.run.Seq
	for _, call := range mishap.Calls(all) {
		h.pending++
		h.calls <- func(ctx context.Context) event {
			made := &injectCall{began: time.Now()}
			if made.unwritten = h.rec.durable(ctx, seq); made.unwritten == nil {
				errs := h.callInject(ctx, call)
				for i, in := range call {
					made.results = append(made.results, callResult{id: in.ID, err: errs[i]})
				}
			}
			return event{injected: made}
		}
	}
}

// callInject makes one call, and answers for each injection.
func (h *holding) callInject(ctx context.Context, all []mishap.Injection) []error {
	call := func(ctx context.Context) []error { return mishap.InjectAll(ctx, h.fault(all[0].Fault).Injector, all) }
	if h.kept(all[0]) {
		call = func(ctx context.Context) []error { return h.Keeper.Inject(ctx, mishap.InjectionIDs(all)) }
	}
	leave, err := h.turns.Take(ctx, mishap.InjectionIDs(all)...)
	if err != nil {
		leave()
		return slices.Repeat([]error{err}, len(all))
	}
	errs, err := bounded.Call(ctx, h.Inject, "the injector", func(ctx context.Context) ([]error, error) {
		defer leave()
		defer h.settling.Called(all)
		if h.Confirm != nil {
			if err := h.Confirm(ctx); err != nil {
				return nil, err
			}
		}
		return call(ctx), nil
	})
	if err != nil {
		return slices.Repeat([]error{err}, len(all))
	}
	return errs
}

// schedule gives the faults that wait for this one their time, once all of its
// injections are in.
func (h *holding) schedule(in *mishap.RunInjection) {
	at, all := h.whenIn()[in.Fault]
	if !all {
		return
	}
	for _, f := range h.Faults {
		if _, waits := h.waiting[f.Name]; waits && f.After.Fault == in.Fault {
			h.waiting[f.Name] = at.Add(f.After.Wait.Std())
		}
	}
}

// whenIn says of the faults when their last injection went in; of one that is not
// all in, nothing.
type whenIn map[string]time.Time

func (h *holding) whenIn() whenIn {
	in := whenIn{}
	for _, f := range h.all() {
		in[f.Name] = time.Time{}
	}
	for _, one := range h.rec.run.Injections {
		last, all := in[one.Fault]
		switch {
		case one.InjectedAt.IsZero():
			delete(in, one.Fault)
		case all && one.InjectedAt.After(last):
			in[one.Fault] = one.InjectedAt
		}
	}
	return in
}

// advance injects and reverts what is due, moves to holding, and ends the hold
// when nothing is left in. It returns the time until it must be asked again. It
// waits for nothing: a fault leaves when its time is over, whatever is being asked.
func (h *holding) advance() time.Duration {
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
	in := h.whenIn()
	if h.rec.run.State == mishap.Injecting && h.initialIn(in) {
		h.rec.record(mishap.Entry{State: &mishap.StateChange{To: mishap.Holding}})
	}
	left := len(h.waiting) > 0 || h.pending > 0
	if wait := h.until.Sub(now); wait > 0 {
		left, next = true, min(next, wait)
	}
	for _, one := range h.rec.run.Injections {
		if one.Fault == mishap.ArmsFault {
			continue // in until everything else is out
		}
		if one.State != mishap.InjectionInjected {
			left = left || one.State == mishap.InjectionReverting
			continue
		}
		left = true
		next = min(next, h.ramp(one, now))
		if left := h.due(one, in).Sub(now); left > 0 {
			next = min(next, left)
		} else if h.stop == nil {
			h.leave(one, in, now)
		}
	}
	if h.stop == nil && !left && h.rec.run.State == mishap.Holding {
		h.stop = h.elapsed()
	}
	return max(next, time.Millisecond)
}

// due is when the injection's time is over, counted from when the last one of
// its fault went in; that is far away before. A fault that is over at once leaves
// as soon as it was seen.
func (h *holding) due(one *mishap.RunInjection, in whenIn) time.Time {
	last, all := in[one.Fault]
	switch {
	case !all:
		return time.Now().Add(time.Hour)
	case one.For == 0 && h.seen(one):
		return last
	}
	return last.Add(one.Lasts())
}

// seen reports whether the fault was looked at, and every probe was met, while it
// was in.
func (h *holding) seen(in *mishap.RunInjection) bool {
	for _, w := range h.rec.run.Watches {
		if w.Spec.In(mishap.During) && !in.Answered[w.Spec.Name] {
			return false
		}
	}
	return in.Looks > 0
}

// elapsed is the end of a run that nothing stopped.
func (h *holding) elapsed() *mishap.StateChange {
	reason := "every fault was in force for as long as it should"
	if h.rec.run.Plan.NoFault {
		reason = "it went on without a fault for as long as it should"
	}
	return &mishap.StateChange{Cause: mishap.CauseElapsed, Reason: reason}
}

// initialIn reports whether every fault that waits for no other is in.
func (h *holding) initialIn(in whenIn) bool {
	for _, f := range h.Faults {
		if _, all := in[f.Name]; f.After == nil && !all {
			return false
		}
	}
	return true
}

// leave ends an injection whose time is over, and those that one call takes with
// it. If they are the last ones, the run goes to reverting, which does it; otherwise
// they are reverted while others hold, beside whatever call is made on those.
func (h *holding) leave(one *mishap.RunInjection, in whenIn, now time.Time) {
	if h.last(one, in, now) {
		h.stop = h.elapsed()
		return
	}
	var all []mishap.Injection
	for _, other := range h.rec.run.Injections {
		with := other == one || one.Batch > 0 && other.Fault == one.Fault && other.Batch == one.Batch
		if with && other.State == mishap.InjectionInjected {
			all = append(all, h.injection(other.ID))
			h.rec.record(change(other.ID, mishap.InjectionReverting, "its time is over"))
		}
	}
	h.pending += len(all)
	go func() {
		r := h.reverter(h.work)
		r.Tell = func(result revert.Result) {
			h.send(event{reverted: &result})
		}
		r.All(h.work, [][]mishap.Injection{all}, nil)
	}()
}

// last reports whether every other injection is out, or due as well.
func (h *holding) last(one *mishap.RunInjection, in whenIn, now time.Time) bool {
	if len(h.waiting) > 0 || h.pending > 0 {
		return false
	}
	for _, other := range h.rec.run.Injections {
		due := other.State == mishap.InjectionInjected && !now.Before(h.due(other, in))
		if other != one && other.Fault != mishap.ArmsFault && !other.State.Settled() && !due {
			return false
		}
	}
	return true
}
