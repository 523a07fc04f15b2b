package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mishap"
)

// event is what a goroutine of the holding phase found.
type event struct {
	observation *mishap.Observation
	check       *mishap.Check
	effect      *mishap.Effect
	comparison  *mishap.Comparison
	injected    *callResult
	reverted    *callResult
}

type callResult struct {
	id       string
	reverted mishap.Reverted
	err      error
}

// holding is the time from the first injection until everything is to be
// reverted. Its loop is the only one that records; others send events.
type holding struct {
	*execution
	events  chan event
	calls   chan func(context.Context) event // one after another
	busy    map[string]bool                  // checks and looks under way
	wake    []chan struct{}                  // one per probe that is asked while a fault is in
	waiting map[string]time.Time             // faults by name: when they are due; zero if not known yet
	asked   map[string]time.Time             // probes by name: start of the last observation
	looked  map[string]time.Time             // injections by id: the last look
	leaving map[string]bool                  // injections by id whose own revert was asked for
	steps   map[string]int                   // injections by id: the step of their ramp
	pending int                              // calls asked for and not yet answered
	until   time.Time                        // of a run without faults: when it is over
	armsIn  func()                           // the arms are in: begins the comparison
	ready   func(context.Context)            // ends the baseline; nil if there is none, or it is over
	late    *event                           // of a call that ended after the loop; read after the worker is done
}

// hold injects, watches, and returns when all faults were in for as long as
// they should, or something stops them; x.stop says what.
func (x *execution) hold(ctx context.Context) {
	work, cancel := context.WithCancel(ctx)
	h := &holding{
		execution: x, events: make(chan event, 64), calls: make(chan func(context.Context) event, 2*len(x.rec.run.Injections)+1),
		busy: map[string]bool{}, waiting: map[string]time.Time{}, asked: map[string]time.Time{},
		looked: map[string]time.Time{}, leaving: map[string]bool{}, steps: map[string]int{},
	}
	done := make(chan struct{})
	go h.work(work, done)
	defer func() {
		if p := recover(); p != nil {
			x.stop = internal(fmt.Errorf("panic: %v", p))
		}
		// A call under way is cancelled and waited for, so that no late call
		// can inject behind the revert's back.
		cancel()
		h.drain(done)
	}()
	if x.Compare == nil {
		h.watch(work)
		h.begin()
	} else {
		h.baseline(work)
	}
	h.loop(ctx)
}

// work makes the calls that inject and revert, one after another.
func (h *holding) work(ctx context.Context, done chan<- struct{}) {
	defer close(done)
	for {
		select {
		case <-ctx.Done():
			return
		case call := <-h.calls:
			e := call(ctx)
			select {
			case h.events <- e:
			case <-ctx.Done():
				h.late = &e // the loop is gone; drain records what this call did
				return
			}
		}
	}
}

// drain waits for the call under way and records what calls did that the loop
// has not seen.
func (h *holding) drain(done <-chan struct{}) {
	for {
		select {
		case e := <-h.events:
			h.settleLate(e)
		case <-done:
			for len(h.events) > 0 {
				h.settleLate(<-h.events)
			}
			if h.late != nil {
				h.settleLate(*h.late)
			}
			return
		}
	}
}

// settleLate records the answers of calls; everything else came too late to
// count.
func (h *holding) settleLate(e event) {
	switch {
	case e.injected != nil && e.injected.err == nil:
		h.rec.note(change(e.injected.id, mishap.InjectionInjected, ""))
	case e.reverted != nil && e.reverted.err == nil:
		h.rec.note(change(e.reverted.id, e.reverted.reverted.State, e.reverted.reverted.Detail))
	}
}

// begin injects the faults that wait for no other.
func (h *holding) begin() {
	h.until = time.Now().Add(h.bare())
	for _, f := range h.Faults {
		if f.After == nil {
			h.inject(f.Name)
		} else {
			h.waiting[f.Name] = time.Time{}
		}
	}
}

// bare is how long a run from which the faults were left out goes on.
func (h *holding) bare() time.Duration {
	if p := h.rec.run.Plan; p.NoFault {
		return p.Experiment.Longest()
	}
	return 0
}

// loop runs until h.stop says why it is over.
func (h *holding) loop(ctx context.Context) {
	look := time.NewTicker(h.Look)
	defer look.Stop()
	renew := time.NewTicker(max(h.Renew, 50*time.Millisecond))
	defer renew.Stop()
	soon := time.NewTimer(0) // when the next fault is due, in or out
	defer soon.Stop()
	for h.stop == nil {
		select {
		case e := <-h.events:
			h.handle(ctx, e)
		case s := <-h.Stops:
			h.stop = &mishap.StateChange{Cause: s.Cause, Reason: s.Reason, By: s.By}
		case <-h.lost():
			h.stop = internal(errors.New("the keeper was lost"))
		case <-ctx.Done():
			h.stop = &mishap.StateChange{Cause: mishap.CauseInterrupt, Reason: "interrupted"}
		case <-look.C:
			h.look(ctx)
		case <-renew.C:
			h.renew(ctx)
		case <-soon.C:
		}
		if h.stop == nil {
			soon.Reset(h.advance(ctx))
		}
	}
}

func (h *holding) lost() <-chan struct{} {
	if h.Keeper == nil {
		return nil
	}
	return h.Keeper.Lost()
}

// handle folds one event into the run and decides whether it is over.
func (h *holding) handle(ctx context.Context, e event) {
	switch {
	case e.observation != nil:
		h.observed(*e.observation)
	case e.check != nil:
		h.checked(*e.check)
	case e.effect != nil:
		h.busy["look "+e.effect.Injection] = false
		h.looked[e.effect.Injection] = e.effect.At
		h.rec.note(mishap.Entry{Effect: e.effect})
	case e.comparison != nil:
		h.compared(ctx, *e.comparison)
	case e.injected != nil:
		h.injected(ctx, *e.injected)
	case e.reverted != nil:
		h.reverted(ctx, *e.reverted)
	}
}

func (h *holding) observed(o mishap.Observation) {
	h.asked[o.Probe] = o.Start
	h.rec.note(mishap.Entry{Observation: &o})
	w := h.rec.run.Watch(o.Probe)
	switch {
	case w.Deviates() && w.Spec.OnDeviation != mishap.NoteDeviation:
		h.stop = &mishap.StateChange{Cause: mishap.CauseDeviation, Reason: w.Deviation}
	case w.Blind != "":
		h.stop = &mishap.StateChange{Cause: mishap.CauseUnmeasured, Reason: w.Blind}
	}
}

func (h *holding) checked(c mishap.Check) {
	h.busy["check "+c.Safeguard] = false
	if h.rec.run.Checks[c.Safeguard] != c {
		h.rec.note(mishap.Entry{Check: &c})
	}
	if c.Answer != mishap.Yes {
		h.stop = &mishap.StateChange{Cause: mishap.CauseSafeguard, Reason: fmt.Sprintf("safeguard %s said no: %s", c.Safeguard, c.Reason)}
	}
}

func (h *holding) injected(ctx context.Context, c callResult) {
	h.pending--
	if c.err != nil {
		in := h.rec.run.Injection(c.id)
		h.stop = &mishap.StateChange{Cause: mishap.CauseError, Reason: fmt.Sprintf("inject %s on %s: %s", in.Fault, in.Target.Label(), c.err)}
		return
	}
	if err := h.rec.must(ctx, change(c.id, mishap.InjectionInjected, "")); err != nil {
		h.stop = internal(err)
		return
	}
	h.lookAt(ctx, c.id)
	if in := h.rec.run.Injection(c.id); in.Fault == mishap.ArmsFault {
		h.armsIn()
	} else {
		h.watchNow()
		h.schedule(in)
	}
}

func (h *holding) reverted(ctx context.Context, c callResult) {
	h.pending--
	if c.err != nil {
		in := h.rec.run.Injection(c.id)
		h.stop = &mishap.StateChange{Cause: mishap.CauseError, Reason: fmt.Sprintf("revert %s on %s: %s", in.Fault, in.Target.Label(), c.err)}
		return
	}
	h.rec.try(ctx, change(c.id, c.reverted.State, c.reverted.Detail))
}

func change(id string, to mishap.InjectionState, detail string) mishap.Entry {
	return mishap.Entry{Injection: &mishap.InjectionChange{ID: id, To: to, Detail: detail}}
}
