package main

import (
	"sync"
	"time"
)

const (
	stallLimit = 20 * time.Millisecond // of a sleep of 2 ms: callers that are held up for so long do not pause as they mean to
	rounds     = 4                     // in which runs that stalls have touched are made again
)

// stalls notices when this machine does not give a process its turn.
type stalls struct {
	mu   sync.Mutex
	ends []time.Time
	long []time.Duration
}

// notice does so until the program ends.
func (s *stalls) notice() {
	const nap = 2 * time.Millisecond
	for {
		before := time.Now()
		time.Sleep(nap)
		if over := time.Since(before) - nap; over > stallLimit {
			s.mu.Lock()
			s.ends, s.long = append(s.ends, time.Now()), append(s.long, over)
			s.mu.Unlock()
		}
	}
}

// share is the part of a span of time that was lost to stalls.
func (s *stalls) share(from, to time.Time) float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lost time.Duration
	for i, end := range s.ends {
		begin := end.Add(-s.long[i])
		if end.After(from) && begin.Before(to) {
			lost += s.long[i]
		}
	}
	return lost.Seconds() / max(to.Sub(from).Seconds(), 0.001)
}
