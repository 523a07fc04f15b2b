package runner

import (
	"time"

	"mishap"
)

// baseline sets up the arms and watches them, before any fault. It ends when
// the comparer has seen enough, which makes it ready for the faults.
func (h *holding) baseline() {
	h.armsIn = func() {
		go h.Compare.Watch(h.work, func(c mishap.Comparison) { h.send(event{comparison: &c}) })
	}
	if h.Arms == nil {
		h.armsIn()
	} else {
		h.inject(mishap.ArmsFault)
	}
	h.ready = func() {
		h.ready = nil
		go func() { // whoever counts is told before the first fault is in
			err := h.Compare.Injecting(h.work, time.Now())
			h.send(event{told: &told{err}})
		}()
	}
}

// told is the answer of those who count to that the faults come now.
type told struct{ err error }

// toldOf begins with the faults, or with nothing: what cannot be counted from
// the injection on shows nothing.
func (h *holding) toldOf(t told) {
	if t.err != nil {
		h.stop = &mishap.StateChange{Cause: mishap.CauseUndecided, Reason: t.err.Error()}
		return
	}
	h.rec.record(mishap.Entry{State: &mishap.StateChange{To: mishap.Injecting}})
	h.watch()
	h.begin()
}

// compared records a look at the arms, and ends the run when it has decided.
func (h *holding) compared(c mishap.Comparison) {
	if c.Phase == mishap.InBaseline && h.ready == nil {
		return // of the moment between the two
	}
	h.rec.note(mishap.Entry{Comparison: &c})
	h.cleared = nil
	switch c.Outcome {
	case mishap.HarmShown:
		h.stop = &mishap.StateChange{Cause: mishap.CauseHarm, Reason: c.Reason}
	case mishap.HarmRuledOut:
		h.cleared = &mishap.StateChange{Cause: mishap.CauseCleared, Reason: c.Reason}
		h.clear()
		h.lookAtAll() // the newest traffic may have met the fault
	case mishap.Undecided:
		h.stop = &mishap.StateChange{Cause: mishap.CauseUndecided, Reason: c.Reason}
	default:
		if c.Ready && h.ready != nil {
			h.ready()
		}
	}
}

// clear ends a run in which harm is ruled out, as soon as it is known that
// something has met the fault: before, that would prove nothing.
func (h *holding) clear() {
	if h.cleared != nil && h.felt() {
		h.stop = h.cleared
	}
}

// felt reports whether every fault was looked at, and each on traffic has met
// some.
func (h *holding) felt() bool {
	for _, in := range h.rec.run.Injections {
		if in.Fault != mishap.ArmsFault && (in.Looks == 0 || in.Felt != nil && in.Felt.Connections == 0) {
			return false
		}
	}
	return true
}
