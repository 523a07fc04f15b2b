package proxy

import (
	"time"

	"mishap/internal/forward"
)

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
	requested, delivered histogram
}

// inArm counts a request of an arm. The delay of one that was let go says nothing of what was asked for.
func (c *counters) inArm(x *forward.Exchange, treated, letGo bool) {
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
func (c *counters) byArm() *ByArm {
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
