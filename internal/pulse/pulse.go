// Package pulse knows whether this process stood still: was stopped, or its machine
// paused. What it knew before may be old then, and it cannot tell by itself.
package pulse

import (
	"sync"
	"time"
)

// every is the time between two beats.
const every = 100 * time.Millisecond

// Pulse beats as long as its process runs. Nil is one that always did.
type Pulse struct {
	limit time.Duration

	mu    sync.Mutex
	last  time.Time // beat
	thaw  time.Time // the latest beat that came too late
	timer *time.Timer
}

// New makes a pulse that does not beat yet. A beat that is later than the limit means
// that the process stood still.
func New(limit time.Duration) *Pulse { return &Pulse{limit: limit, last: time.Now()} }

// Start begins to beat.
func (p *Pulse) Start() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer = time.AfterFunc(every, p.next)
}

// Stop ends the beating.
func (p *Pulse) Stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
}

func (p *Pulse) next() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.beat()
	if p.timer != nil {
		p.timer.Reset(every)
	}
}

// beat looks at both clocks of the machine: one stands still while it sleeps, and the
// other may be set.
func (p *Pulse) beat() {
	now := time.Now()
	if now.Sub(p.last) > p.limit || now.Round(0).Sub(p.last.Round(0)) > p.limit {
		p.thaw = now
	}
	p.last = now
}

// Stood reports whether the process stood still at any time since then. It looks
// itself, so that whoever runs first after a thaw knows.
func (p *Pulse) Stood(since time.Time) bool {
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.beat()
	return p.thaw.After(since)
}
