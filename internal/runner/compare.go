package runner

import (
	"context"
	"time"

	"mishap"
)

// baseline sets up the arms and watches them, before any fault. It ends when
// the comparer has seen enough, which makes it ready for the faults.
func (h *holding) baseline(work context.Context) {
	h.armsIn = func() {
		go h.Compare.Watch(work, func(c mishap.Comparison) { h.send(work, event{comparison: &c}) })
	}
	if h.Arms == nil {
		h.armsIn()
	} else {
		h.inject(mishap.ArmsFault)
	}
	h.ready = func(ctx context.Context) {
		h.ready = nil
		if err := h.rec.must(ctx, mishap.Entry{State: &mishap.StateChange{To: mishap.Injecting}}); err != nil {
			h.stop = internal(err)
			return
		}
		h.Compare.Injected(time.Now())
		h.watch(work)
		h.begin()
	}
}

// compared records a look at the arms, and ends the run when it has decided.
func (h *holding) compared(ctx context.Context, c mishap.Comparison) {
	if c.Phase == mishap.InBaseline && h.ready == nil {
		return // of the moment between the two
	}
	h.rec.note(mishap.Entry{Comparison: &c})
	switch c.Outcome {
	case mishap.HarmShown:
		h.stop = &mishap.StateChange{Cause: mishap.CauseHarm, Reason: c.Reason}
	case mishap.HarmRuledOut:
		h.finalLook(ctx)
		if !h.felt() {
			return // no request has met the fault yet: that would prove nothing
		}
		h.stop = &mishap.StateChange{Cause: mishap.CauseCleared, Reason: c.Reason}
	case mishap.Undecided:
		h.finalLook(ctx)
		h.stop = &mishap.StateChange{Cause: mishap.CauseUndecided, Reason: c.Reason}
	default:
		if c.Ready && h.ready != nil {
			h.ready(ctx)
		}
	}
}

// felt reports whether every fault on traffic has met some.
func (h *holding) felt() bool {
	for _, in := range h.rec.run.Injections {
		if in.Fault != mishap.ArmsFault && in.Felt != nil && in.Felt.Connections == 0 {
			return false
		}
	}
	return true
}
