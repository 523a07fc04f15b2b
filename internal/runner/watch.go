package runner

import (
	"context"
	"time"

	"mishap"
	"mishap/internal/bounded"
)

// watch starts one goroutine per probe that is asked while a fault is in.
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
func (h *holding) lookAtAll() {
	for _, in := range h.rec.run.Injections {
		if in.State == mishap.InjectionInjected {
			h.lookAt(in.ID)
		}
	}
}

// send hands an event to the loop, or drops it when the hold is over.
func (h *holding) send(e event) {
	select {
	case h.events <- e:
	case <-h.work.Done():
	}
}

// lookAt asks one injection for its effect.
func (h *holding) lookAt(id string) {
	if h.busy["look "+id] {
		return
	}
	h.busy["look "+id] = true
	in := h.injection(id) // now: a ramp changes it meanwhile
	go func() {
		h.send(event{effect: h.verifyOnce(h.work, in, checkTimeout)})
	}()
}

// verifyOnce asks whether the fault is in force. What cannot be known, or not
// within limit, is an answer too: unknown.
func (x *execution) verifyOnce(ctx context.Context, in mishap.Injection, limit time.Duration) *mishap.Effect {
	effect, err := bounded.Call(ctx, limit, "the injector", func(ctx context.Context) (mishap.Effect, error) {
		injector, err := x.injector(in)
		if err != nil {
			return mishap.Effect{}, err
		}
		return injector.Verify(ctx, in)
	})
	if err != nil {
		effect = mishap.Effect{InForce: mishap.Unknown, Detail: err.Error()}
	}
	effect.Injection, effect.At = in.ID, time.Now()
	return &effect
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
		full.For = mishap.Duration(max(time.Until(h.due(h.rec.run.Injection(full.ID))), time.Millisecond))
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
