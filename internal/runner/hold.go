package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mishap"
	"mishap/internal/revert"
)

// event is what a goroutine of the holding phase found.
type event struct {
	observation *mishap.Observation
	check       *mishap.Check
	looked      *looked
	comparison  *mishap.Comparison
	told        *told
	injected    *injectCall
	reverted    *revert.Result
}

// injectCall is a call that injects.
type injectCall struct {
	began     time.Time
	results   []callResult
	unwritten error // why the journal did not take that it would be made, and it was not
}

type callResult struct {
	id  string
	err error
}

// holding is the time from the first injection until everything is to be
// reverted. Its loop is the only one that records; others send events. The loop
// waits for nothing but events.
type holding struct {
	*execution
	work    context.Context                  // ends with the holding
	events  chan event                       // of work, dropped when that has ended
	calls   chan func(context.Context) event // that inject, one after another
	busy    map[string]bool                  // checks and looks under way
	wake    []chan struct{}                  // one per probe that is asked while a fault is in force
	waiting map[string]time.Time             // faults by name: when they are due; zero if not known yet
	steps   map[string]int                   // injections by id: the step of their ramp
	pending int                              // calls asked for and not yet answered
	until   time.Time                        // of a run without faults: when it is over
	armsIn  func()                           // the arms are in: begins the comparison
	ready   func()                           // ends the baseline; nil if there is none, or it is over
	cleared *mishap.StateChange              // harm is ruled out, and nothing has met the fault yet
	late    *event                           // of a call that ended after the loop; read after the worker is done
}

// hold injects, watches, and returns when all faults were in for as long as
// they should, or something stops them; x.stop says what.
func (x *execution) hold(ctx context.Context) {
	work, cancel := context.WithCancel(ctx)
	h := &holding{
		execution: x, work: work, events: make(chan event, 64), calls: make(chan func(context.Context) event, len(x.rec.run.Injections)+1),
		busy: map[string]bool{}, waiting: map[string]time.Time{}, steps: map[string]int{},
	}
	done := make(chan struct{})
	go h.makeCalls(done)
	defer func() {
		if p := recover(); p != nil {
			x.stop = internal(fmt.Errorf("panic: %v", p))
		}
		// A call under way is told to end, and has a moment for that; see turns
		// for one that does not.
		cancel()
		h.drain(done)
	}()
	if x.Compare == nil {
		h.watch()
		h.begin()
	} else {
		h.baseline()
	}
	h.loop()
}

// makeCalls makes the calls that inject, one after another.
func (h *holding) makeCalls(done chan<- struct{}) {
	defer close(done)
	for {
		select {
		case <-h.work.Done():
			return
		case call := <-h.calls:
			if h.work.Err() != nil {
				return
			}
			e := call(h.work)
			select {
			case h.events <- e:
			case <-h.work.Done():
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
	case e.injected != nil:
		for _, one := range e.injected.results {
			if one.err == nil {
				h.rec.note(change(one.id, mishap.InjectionInjected, ""))
			}
		}
	case e.reverted != nil && e.reverted.Err == nil:
		h.rec.note(change(e.reverted.ID, e.reverted.State, e.reverted.Detail))
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
func (h *holding) loop() {
	look := time.NewTicker(h.Look)
	defer look.Stop()
	renew := time.NewTicker(max(h.Renew, 50*time.Millisecond))
	defer renew.Stop()
	soon := time.NewTimer(0) // when the next fault is due, in or out
	defer soon.Stop()
	for h.stop == nil {
		select {
		case e := <-h.events:
			h.handle(e)
		case s := <-h.Stops:
			h.stop = &mishap.StateChange{Cause: s.Cause, Reason: s.Reason, By: s.By}
		case <-h.lost():
			h.stop = internal(errors.New("the keeper was lost"))
		case <-h.work.Done():
			h.stop = &mishap.StateChange{Cause: mishap.CauseInterrupt, Reason: "interrupted"}
		case <-h.owned.news:
			h.stop = h.disturbed()
		case <-look.C:
			h.look()
		case <-renew.C:
			h.renew()
		case <-soon.C:
		}
		if h.stop == nil {
			soon.Reset(h.advance())
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
func (h *holding) handle(e event) {
	switch {
	case e.observation != nil:
		h.observed(*e.observation)
	case e.check != nil:
		h.checked(*e.check)
	case e.looked != nil:
		h.looked(*e.looked)
	case e.comparison != nil:
		h.compared(*e.comparison)
	case e.told != nil:
		h.toldOf(*e.told)
	case e.injected != nil:
		h.injected(*e.injected)
	case e.reverted != nil:
		h.reverted(*e.reverted)
	}
}

func (h *holding) observed(o mishap.Observation) {
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
		h.stop = &mishap.StateChange{Cause: mishap.CauseSafeguard, Reason: fmt.Sprintf("safeguard %s refused: %s", c.Safeguard, c.Reason)}
	}
}

func (h *holding) injected(c injectCall) {
	h.pending--
	if c.unwritten != nil {
		h.stop = internal(c.unwritten)
		return
	}
	var in *mishap.RunInjection
	for _, one := range c.results {
		in = h.rec.run.Injection(one.id)
		if one.err == nil {
			h.rec.note(change(one.id, mishap.InjectionInjected, ""))
		} else if h.stop == nil {
			h.stop = &mishap.StateChange{Cause: mishap.CauseError, Reason: fmt.Sprintf("inject %s on %s: %s", in.Fault, in.Target.Label(), one.err)}
		}
	}
	h.rec.write()
	switch {
	case h.stop != nil:
	case in.Fault == mishap.ArmsFault:
		h.lookAt(in.Fault)
		h.armsIn()
	default:
		h.lookAt(in.Fault)
		h.watchNow()
		h.schedule(in)
	}
}

// reverted records an attempt to revert what left while others hold. One that is
// not back yet is asked again; one that failed ends the run, which reverts.
func (h *holding) reverted(r revert.Result) {
	in := h.rec.run.Injection(r.ID)
	switch {
	case r.Err == nil:
		h.pending--
		h.rec.record(change(r.ID, r.State, r.Detail))
	case r.State != mishap.InjectionReverting || r.GaveUp:
		h.stop = &mishap.StateChange{Cause: mishap.CauseError, Reason: fmt.Sprintf("revert %s on %s: %s", in.Fault, in.Target.Label(), r.Err)}
	}
}

func change(id string, to mishap.InjectionState, detail string) mishap.Entry {
	return mishap.Entry{Injection: mishap.NewChange(id, to, detail)}
}
