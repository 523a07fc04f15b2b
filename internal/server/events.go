package server

import (
	"maps"
	"slices"
	"sync"
	"time"

	"mishap"
	"mishap/internal/api"
	"mishap/internal/ledger"
)

// events tell listeners, and the log, what happens here.
type events struct {
	*shared
	hub hub

	mu       sync.Mutex
	toldWait map[string]time.Time   // by experiment: the time of its schedule that it was told to wait for
	going    map[string]*mishap.Run // pictures of the runs that go on here
}

func newEvents(s *shared) *events {
	return &events{shared: s, toldWait: map[string]time.Time{}, going: map[string]*mishap.Run{}}
}

// seen is told every entry of every run here.
func (ev *events) seen(e mishap.Entry, r *mishap.Run) {
	happened := event{Event: api.Event{At: e.At, Entry: &e}}
	if r != nil {
		happened.run = picture(r)
		ev.stands(happened.run)
	}
	ev.hub.publish(happened)
}

// stands keeps how a run stands, until it is over.
func (ev *events) stands(r *mishap.Run) {
	ev.mu.Lock()
	defer ev.mu.Unlock()
	if r.State.Ended() {
		delete(ev.going, r.ID)
		return
	}
	ev.going[r.ID] = r
}

// left forgets a run that goes on here no more.
func (ev *events) left(id string) {
	ev.mu.Lock()
	defer ev.mu.Unlock()
	delete(ev.going, id)
}

// now are pictures of the runs that go on here.
func (ev *events) now() []*mishap.Run {
	ev.mu.Lock()
	defer ev.mu.Unlock()
	return slices.Collect(maps.Values(ev.going))
}

// waits tells once of each time of a schedule that it waits.
func (ev *events) waits(turn ledger.Turn) {
	ev.mu.Lock()
	told := ev.toldWait[turn.Experiment].Equal(turn.Tick)
	ev.toldWait[turn.Experiment] = turn.Tick
	ev.mu.Unlock()
	if told {
		return
	}
	ev.log.Info("run waits", "experiment", turn.Experiment, "due", turn.Tick, "since", turn.Since, "reason", turn.Why)
	ev.hub.publish(event{Event: api.Event{At: time.Now(), Waiting: &turn.Waiting}})
}

// refused tells of a run that did not start.
func (ev *events) refused(r ledger.Refusal) {
	why := r.Why.State
	ev.metrics.notStarted(why.Cause)
	ev.log.Info("run does not start", "run", r.First.Run, "experiment", r.First.Planned.Experiment.Name, "cause", why.Cause, "reason", why.Reason)
	run, err := r.Replay()
	if err != nil {
		ev.log.Error("record refusal", "error", err)
		return
	}
	ev.seen(r.First, nil)
	ev.seen(r.Why, run)
}

// ended says how a run ended.
func (ev *events) ended(run *mishap.Run) {
	if run == nil {
		return
	}
	verdict, reason := mishap.Judge(run)
	ev.log.Info("run ends", "run", run.ID, "experiment", run.Plan.Experiment.Name, "state", run.State, "verdict", verdict, "reason", reason)
}

// event is an [api.Event] and what only this process sees of it.
type event struct {
	api.Event
	run *mishap.Run // a picture of the run after the entry; nobody may change it
}

// hub tells listeners of events. It never waits for one: a listener that is too
// slow is cut off, and learns that from its closed channel.
type hub struct {
	mu     sync.Mutex
	seq    int64
	recent []event // the latest, for those who were cut off
	all    map[chan event]struct{}
}

const (
	listenerBuffer = 256
	recentEvents   = 1024
)

// publish tells everybody.
func (h *hub) publish(e event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seq++
	e.Seq = h.seq
	if len(h.recent) == recentEvents {
		h.recent = append(h.recent[:0:0], h.recent[recentEvents/2:]...)
	}
	h.recent = append(h.recent, e)
	for ch := range h.all {
		select {
		case ch <- e:
		default:
			close(ch)
			delete(h.all, ch)
		}
	}
}

// last is the number of the latest event.
func (h *hub) last() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seq
}

// listen subscribes, first to what is remembered after the event with that
// number; the function ends it.
func (h *hub) listen(after int64) (<-chan event, func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var missed []event
	if after > 0 {
		for _, e := range h.recent {
			if e.Seq > after {
				missed = append(missed, e)
			}
		}
	}
	ch := make(chan event, listenerBuffer+len(missed))
	for _, e := range missed {
		ch <- e
	}
	if h.all == nil {
		h.all = map[chan event]struct{}{}
	}
	h.all[ch] = struct{}{}
	return ch, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if _, there := h.all[ch]; there {
			close(ch)
			delete(h.all, ch)
		}
	}
}

// picture is a copy of a run that does not change with it.
func picture(r *mishap.Run) *mishap.Run {
	one := *r
	one.Injections = nil
	for _, in := range r.Injections {
		copied := *in
		one.Injections = append(one.Injections, &copied)
	}
	one.Watches = nil
	for _, w := range r.Watches {
		copied := *w
		one.Watches = append(one.Watches, &copied)
	}
	one.Checks = maps.Clone(r.Checks)
	return &one
}
