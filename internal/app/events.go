package app

import (
	"sync"

	"mishap"
	"mishap/internal/api"
)

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
	return &one
}
