package runner

import (
	"fmt"
	"time"

	"mishap"
)

// ramp takes the next step of an injection's ramp if it is due: it is recorded,
// and then the fault is renewed with its new parameter. It answers how long the
// step after it takes.
func (h *holding) ramp(in *mishap.RunInjection, now time.Time) time.Duration {
	f := h.fault(in.Fault)
	renewer, ok := f.Injector.(Renewer)
	if f.Ramp == nil || !ok {
		return time.Hour
	}
	r, step := *f.Ramp, h.steps[in.ID]
	if due := r.Step(now.Sub(in.InjectedAt)); due > step {
		step = due
		h.steps[in.ID] = step
		full := h.undo[in.ID]
		with, err := r.With(f.With, step)
		if err == nil {
			full.With = with
			h.rec.record(mishap.Entry{Note: &mishap.Note{Text: fmt.Sprintf("%s: %s is %s now, step %d of %d", f.Name, r.Parameter, r.Values[step], step+1, len(r.Values))}})
		}
		if err != nil {
			h.stop = internal(err)
			return time.Hour
		}
		h.undo[in.ID] = full
		h.renewOne(renewer, full)
	}
	if step == len(r.Values)-1 {
		return time.Hour
	}
	return in.InjectedAt.Add(r.Every.Std() * time.Duration(step+1)).Sub(now)
}
