package runner

import (
	"context"
	"time"

	"mishap"
	"mishap/internal/bounded"
)

// watch starts one goroutine per probe that is asked while a fault is in force.
func (h *holding) watch() {
	for i, w := range h.rec.run.Watches {
		if w.Spec.In(mishap.During) {
			wake := make(chan struct{}, 1)
			h.wake = append(h.wake, wake)
			go h.watchOne(h.Probes[i], w.Spec, wake)
		}
	}
}

// watchNow asks every probe without waiting for its next turn: a fault has just
// gone in.
func (h *holding) watchNow() {
	for _, wake := range h.wake {
		select {
		case wake <- struct{}{}:
		default: // it is about to be asked anyway
		}
	}
}

// watchOne observes every spec.Every, counted from start to start, and when it is
// woken; an observation
// that takes longer is followed by the next at once.
func (h *holding) watchOne(p mishap.Probe, spec mishap.ProbeSpec, wake <-chan struct{}) {
	tick := time.NewTicker(max(spec.Every.Std(), time.Millisecond))
	defer tick.Stop()
	for {
		o := observe(h.work, p, spec, mishap.During)
		if h.work.Err() != nil {
			return
		}
		h.send(event{observation: &o})
		select {
		case <-tick.C:
		case <-wake:
			tick.Reset(max(spec.Every.Std(), time.Millisecond))
		case <-h.work.Done():
			return
		}
	}
}

// look asks every safeguard, and every fault for its effect; whoever has not
// answered the last question is not asked again.
func (h *holding) look() {
	situation := h.situation()
	for _, g := range h.Guards {
		if h.busy["check "+g.Name] {
			continue
		}
		h.busy["check "+g.Name] = true
		go func() {
			c := h.ask(h.work, g, situation)
			h.send(event{check: &c})
		}()
	}
	h.lookAtAll()
	h.rec.write()
	if err := h.rec.trouble(); err != nil {
		h.stop = internal(err)
	}
}

// lookAtAll asks every injection that is in for its effect.
func (h *holding) lookAtAll() { h.lookAt("") }

// send hands an event to the loop, or drops it when the hold is over.
func (h *holding) send(e event) {
	select {
	case h.events <- e:
	case <-h.work.Done():
	}
}

// looked is what a look at injections that one call takes has seen.
type looked struct {
	call    string
	began   time.Time
	effects []mishap.Effect
}

// lookAt asks the injections of the fault that are in, or those of all, for their
// effect. Nothing waits for that, and of a hundred things it may take long.
func (h *holding) lookAt(fault string) {
	var all []mishap.Injection
	for _, in := range h.rec.run.Injections {
		if in.State == mishap.InjectionInjected && (fault == "" || in.Fault == fault) {
			all = append(all, h.injection(in.ID)) // now: a ramp changes it meanwhile
		}
	}
	for _, call := range mishap.Calls(all) {
		key := "look " + call[0].ID
		if h.busy[key] {
			continue
		}
		h.busy[key] = true
		go func() {
			began := time.Now()
			h.send(event{looked: &looked{key, began, h.verifyCall(h.work, call, mishap.CallWithin)}})
		}()
	}
}

// looked takes in what a look has seen. That something is not in force is not
// known while what is read may be of before it was injected.
func (h *holding) looked(l looked) {
	h.busy[l.call] = false
	for _, e := range l.effects {
		in := h.rec.run.Injection(e.Injection)
		if e.InForce == mishap.Yes || !l.began.Before(in.InjectedAt.Add(in.Settles.Std())) {
			h.rec.note(mishap.Entry{Effect: &e})
		}
	}
	h.clear()
}

// verifyCall asks in one call whether the injections are in force. What cannot be
// known, or not within limit, is an answer too: unknown.
func (x *execution) verifyCall(ctx context.Context, all []mishap.Injection, limit time.Duration) []mishap.Effect {
	replies, err := bounded.Call(ctx, limit, "the injector", func(ctx context.Context) ([]mishap.Reply[mishap.Effect], error) {
		injector, err := x.injector(all[0])
		if err != nil {
			return nil, err
		}
		return mishap.VerifyAll(ctx, injector, all), nil
	})
	if err != nil {
		replies = mishap.Same[mishap.Effect](len(all), err)
	}
	effects := make([]mishap.Effect, len(all))
	for i, r := range replies {
		if effects[i] = r.Value; r.Err != nil {
			effects[i] = mishap.Effect{InForce: mishap.Unknown, Detail: r.Err.Error()}
		}
		effects[i].Injection, effects[i].At = all[i].ID, time.Now()
	}
	return effects
}

// injection is what is known of one; without its undo only who it is.
func (x *execution) injection(id string) mishap.Injection {
	if in, ok := x.undo[id]; ok {
		return in
	}
	return mishap.Injection{ID: id}
}

// injector is the code of an injection: the fault's own, or one restored from
// the record.
func (x *execution) injector(in mishap.Injection) (mishap.Injector, error) {
	if f := x.fault(in.Fault); f != nil {
		return f.Injector, nil
	}
	return x.Restore(in)
}

// renew extends every fault that would end by itself.
func (h *holding) renew() {
	for _, in := range h.rec.run.Injections {
		renewer, ok := h.fault(in.Fault).Injector.(Renewer)
		if ok && in.State == mishap.InjectionInjected {
			h.renewOne(renewer, h.undo[in.ID])
		}
	}
}

// renewOne extends one fault, but not beyond its time.
func (h *holding) renewOne(renewer Renewer, full mishap.Injection) {
	if full.For > 0 {
		full.For = mishap.Duration(max(time.Until(h.due(h.rec.run.Injection(full.ID), h.whenIn())), time.Millisecond))
	}
	go func() {
		_, err := bounded.Call(h.work, checkTimeout, "the injector", func(ctx context.Context) (struct{}, error) {
			return struct{}{}, renewer.Renew(ctx, full)
		})
		if err != nil && h.work.Err() == nil {
			// The next look sees whether the fault is still in force.
			h.Log.Warn("renew fault", "injection", full.ID, "error", err)
		}
	}()
}
