package registry

import (
	"sync"
	"time"

	"mishap/internal/forward"
	"mishap/internal/proxy/fault"
)

// Counters are the live numbers of one fault.
type Counters struct {
	mu                   sync.Mutex
	stats                Stats // but for Requested and Delivered
	requested, delivered Histogram
	spared               []func() uint64 // of each form that the fault has had
	arms                 *[2]armEffect   // control and experiment; nil until a request of an arm comes
	book                 *armsBook       // of arms; guarded by the registry
}

// Touched counts a connection that the fault does something to.
func (c *Counters) Touched() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Connections++
}

// Piece counts what left: as says what became of it.
func (c *Counters) Piece(as fault.Piece, delays bool, requested, delivered time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case as.Drop:
		c.stats.Dropped += uint64(as.Size)
		return
	case !delays:
		return
	case as.End:
		c.stats.Ends++
	default:
		c.stats.Chunks++
		c.stats.Bytes += uint64(as.Size)
	}
	c.requested.add(requested)
	c.delivered.add(delivered)
}

// Waited counts a wait that is not of bytes.
func (c *Counters) Waited(requested, delivered time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requested.add(requested)
	c.delivered.add(delivered)
}

// Lost counts a datagram that was lost.
func (c *Counters) Lost(bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Lost++
	c.stats.Dropped += uint64(bytes)
}

// EndedOne counts a connection that the fault ended.
func (c *Counters) EndedOne() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Ended++
}

// Flushed counts chunks that were held, and let go before they were due.
func (c *Counters) Flushed(chunks int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Flushed += uint64(chunks)
}

// Overflowed counts that reading stopped for want of room.
func (c *Counters) Overflowed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Overflow++
}

// Request counts a request that the fault hit, unless it did nothing to it: a body was shorter than what is cut.
func (c *Counters) Request(h forward.Hit, x *forward.Exchange) {
	if rule := h.Fault.Rule(); rule.OnlyCuts() && x.Failure == forward.None {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Requests++
	if x.Failure == forward.Aborted || x.Failure == forward.Truncated {
		c.stats.Ended++
	}
	switch {
	case h.LetGo:
		c.stats.Flushed++
	case h.Before+h.After > 0:
		c.requested.add(x.Requested)
		c.delivered.add(x.Delivered)
	}
}

// Spares adds what counts the requests that went on unharmed.
func (c *Counters) Spares(count func() uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spared = append(c.spared, count)
}

// histograms are copies of what was requested and delivered.
func (c *Counters) histograms() (requested, delivered Histogram) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requested.clone(), c.delivered.clone()
}

func (c *Counters) snapshot() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	for _, count := range c.spared {
		s.Spared += count()
	}
	s.Requested, s.Delivered, s.Arms = c.requested.summary(), c.delivered.summary(), c.byArm()
	return s
}

// ByArm is what a fault that is confined to an arm did to both arms of its run. None of control may ever be treated.
type ByArm struct {
	Control    ArmEffect `json:"control"`
	Experiment ArmEffect `json:"experiment"`
}

// ArmEffect is what a fault did to the requests of one arm that it would concern if it were not confined.
type ArmEffect struct {
	Treated   uint64 `json:"treated"`   // requests that it hit, and that are over
	Passed    uint64 `json:"passed"`    // requests that it let pass: of another arm, beyond its share, or beyond maxActive
	Requested Delays `json:"requested"` // what all faults together asked for, over both
	Delivered Delays `json:"delivered"` // how long they were held
}

// armEffect is the live ArmEffect.
type armEffect struct {
	treated, passed      uint64
	requested, delivered Histogram
}

// InArm counts a request of an arm. The delay of one that was let go says nothing of what was asked for.
func (c *Counters) InArm(x *forward.Exchange, treated, letGo bool) {
	if x.Arm == forward.NoArm {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.arms == nil {
		c.arms = new([2]armEffect)
	}
	e := &c.arms[x.Arm-forward.Control]
	if treated {
		e.treated++
	} else {
		e.passed++
	}
	if !letGo {
		e.requested.add(x.Requested)
		e.delivered.add(x.Delivered)
	}
}

// byArm is for callers that hold the lock.
func (c *Counters) byArm() *ByArm {
	if c.arms == nil {
		return nil
	}
	return &ByArm{Control: c.arms[0].summary(), Experiment: c.arms[1].summary()}
}

func (e *armEffect) summary() ArmEffect {
	return ArmEffect{Treated: e.treated, Passed: e.passed, Requested: e.requested.summary(), Delivered: e.delivered.summary()}
}

// allocated adds what arms have assigned.
func (s *Stats) allocated(b *armsBook, now time.Time) {
	if b == nil {
		return
	}
	allocation, _ := b.measure(now)
	s.Counting = b.counting()
	s.Allocation, s.Requests = &allocation, allocation.Requests()
}
