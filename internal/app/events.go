package app

import (
	"sync"
	"time"

	"mishap"
)

// Event is something that happened in a server, for whoever listens: an entry of
// a run, a source that changed, or a due run that waits.
type Event struct {
	Seq    int64         `json:"seq"` // 1, 2, 3, … in this process
	At     time.Time     `json:"at"`
	Entry  *mishap.Entry `json:"entry,omitempty"`
	Source *SourceEvent  `json:"source,omitempty"`

	Waiting *mishap.Waiting `json:"waiting,omitempty"`

	run *mishap.Run // a picture of the run after the entry; nobody may change it
}

// SourceEvent is a source of experiments that was looked at and changed.
type SourceEvent struct {
	Name    string `json:"name"`
	Commit  string `json:"commit,omitempty"`
	Digest  string `json:"digest,omitempty"`
	Problem string `json:"problem,omitempty"`
}

// hub tells listeners of events. It never waits for one: a listener that is too
// slow is cut off, and learns that from its closed channel.
type hub struct {
	mu     sync.Mutex
	seq    int64
	recent []Event // the latest, for those who were cut off
	all    map[chan Event]struct{}
}

const (
	listenerBuffer = 256
	recentEvents   = 1024
)

// publish tells everybody.
func (h *hub) publish(e Event) {
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
func (h *hub) listen(after int64) (<-chan Event, func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var missed []Event
	if after > 0 {
		for _, e := range h.recent {
			if e.Seq > after {
				missed = append(missed, e)
			}
		}
	}
	ch := make(chan Event, listenerBuffer+len(missed))
	for _, e := range missed {
		ch <- e
	}
	if h.all == nil {
		h.all = map[chan Event]struct{}{}
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
