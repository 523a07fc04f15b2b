package runner

import (
	"context"
	"fmt"
	"time"

	"mishap"
)

// watch starts one goroutine per probe that is asked while a fault is in.
func (h *holding) watch(ctx context.Context) {
	for i, w := range h.rec.run.Watches {
		if w.Spec.In(mishap.During) {
			wake := make(chan struct{}, 1)
			h.wake = append(h.wake, wake)
			go h.watchOne(ctx, h.Probes[i], w.Spec, wake)
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
func (h *holding) watchOne(ctx context.Context, p mishap.Probe, spec mishap.ProbeSpec, wake <-chan struct{}) {
	tick := time.NewTicker(max(spec.Every.Std(), time.Millisecond))
	defer tick.Stop()
	for {
		o := observe(ctx, p, spec, mishap.During)
		if ctx.Err() != nil {
			return
		}
		select {
		case h.events <- event{observation: &o}:
		case <-ctx.Done():
			return
		}
		select {
		case <-tick.C:
		case <-wake:
			tick.Reset(max(spec.Every.Std(), time.Millisecond))
		case <-ctx.Done():
			return
		}
	}
}

// look asks every safeguard, and every fault for its effect; whoever has not
// answered the last question is not asked again.
func (h *holding) look(ctx context.Context) {
	situation := h.situation()
	for _, g := range h.Guards {
		if h.busy["check "+g.Name] {
			continue
		}
		h.busy["check "+g.Name] = true
		go func() {
			c := h.ask(ctx, g, situation)
			h.send(ctx, event{check: &c})
		}()
	}
	for _, in := range h.rec.run.Injections {
		if in.State == mishap.InjectionInjected && !h.leaving[in.ID] {
			h.lookAt(ctx, in.ID)
		}
	}
	if err := h.rec.flush(ctx); err != nil {
		h.stop = internal(err)
	}
}

// send hands an event to the loop, or drops it when the hold is over.
func (h *holding) send(ctx context.Context, e event) {
	select {
	case h.events <- e:
	case <-ctx.Done():
	case <-time.After(2 * checkTimeout):
	}
}

// lookAt asks one injection for its effect.
func (h *holding) lookAt(ctx context.Context, id string) {
	if h.busy["look "+id] {
		return
	}
	h.busy["look "+id] = true
	in := h.injection(id) // now: a ramp changes it meanwhile
	go func() {
		if e := h.verifyOnce(ctx, in); e != nil {
			h.send(ctx, event{effect: e})
		}
	}()
}

// verifyOnce asks whether the fault is in force. What cannot be known is an
// answer too: unknown.
func (x *execution) verifyOnce(ctx context.Context, in mishap.Injection) (e *mishap.Effect) {
	e = &mishap.Effect{Injection: in.ID, InForce: mishap.Unknown}
	defer func() {
		if p := recover(); p != nil {
			e.Detail = fmt.Sprintf("the injector panicked: %v", p)
		}
		e.Injection, e.At = in.ID, time.Now()
	}()
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	injector, err := x.injector(in)
	if err != nil {
		e.Detail = err.Error()
		return e
	}
	effect, err := injector.Verify(ctx, in)
	if err != nil {
		e.Detail = err.Error()
		return e
	}
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
func (h *holding) renew(ctx context.Context) {
	for _, in := range h.rec.run.Injections {
		f := h.fault(in.Fault)
		renewer, ok := f.Injector.(Renewer)
		if !ok || in.State != mishap.InjectionInjected || h.leaving[in.ID] {
			continue
		}
		h.renewOne(ctx, renewer, h.undo[in.ID])
	}
}

func (h *holding) renewOne(ctx context.Context, renewer Renewer, full mishap.Injection) {
	go func() {
		ctx, cancel := context.WithTimeout(ctx, checkTimeout)
		defer cancel()
		if err := renewer.Renew(ctx, full); err != nil {
			// The next look sees whether the fault is still in force.
			h.Log.Warn("renew fault", "injection", full.ID, "error", err)
		}
	}()
}
