package revert

import (
	"sync"
	"time"

	"mishap"
)

// Settling says which answers about an injection can be trusted. An API may show
// what was before for as long as its kind says: after a call that injects, and
// after one whose answer was lost or that a crash cut off. The zero value is ready.
type Settling struct {
	mu    sync.Mutex
	since map[string]time.Time // by id: when nothing injected it any more
}

// Called says that a call that injects has returned, with whatever answer.
func (s *Settling) Called(all []mishap.Injection) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, in := range all {
		s.set(in.ID, now)
	}
}

func (s *Settling) set(id string, at time.Time) {
	if s.since == nil {
		s.since = map[string]time.Time{}
	}
	s.since[id] = at
}

// Look turns the answers of an attempt that began at a time into what they are
// worth: what would settle an injection, but may be of before it was injected, is
// to be asked again. Of a call that this process has not made nobody knows when it
// was: it is counted from the first look.
func (s *Settling) Look(all []mishap.Injection, began time.Time, replies []mishap.Reply[mishap.Reverted]) []mishap.Reply[mishap.Reverted] {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, in := range all {
		since, known := s.since[in.ID]
		if !known {
			since = began
			s.set(in.ID, began)
		}
		r := &replies[i]
		if settled := since.Add(in.Settles.Std()); r.Err == nil && r.Value.State.Settled() && began.Before(settled) {
			r.Value.State = mishap.InjectionReverting
			r.Value.Again = mishap.Duration(max(time.Until(settled), time.Millisecond))
		}
	}
	return replies
}
