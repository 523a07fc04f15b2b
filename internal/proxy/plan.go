package proxy

import (
	"slices"
	"sync/atomic"
	"time"
)

// bond ties one fault to one connection.
type bond struct {
	fault      *active
	connection uint64
	touched    atomic.Bool // the fault has delayed a chunk of the connection
}

// plan is what one pump is to do: the faults that delay its bytes. A nil plan means: pass bytes on as they come.
type plan struct {
	way   Direction
	bonds []*bond
}

// newPlan picks the bonds that concern one way; nil if none does.
func newPlan(way Direction, bonds []*bond) *plan {
	p := &plan{way: way}
	for _, b := range bonds {
		if b.fault.Direction.covers(way) {
			p.bonds = append(p.bonds, b)
		}
	}
	if len(p.bonds) == 0 {
		return nil
	}
	return p
}

// list is the bonds of a plan, which may be nil.
func (p *plan) list() []*bond {
	if p == nil {
		return nil
	}
	return p.bonds
}

// has says whether the plan holds a fault.
func (p *plan) has(f *active) bool {
	return slices.ContainsFunc(p.list(), func(b *bond) bool { return b.fault == f })
}

// equal says whether two plans hold the same faults.
func (p *plan) equal(q *plan) bool { return slices.Equal(p.list(), q.list()) }

// sample is how long the chunk with this number is to wait: the sum over all faults.
func (p *plan) sample(chunk uint64) (sum time.Duration) {
	for _, b := range p.list() {
		sum += b.fault.sample(b.connection, p.way, chunk)
	}
	return sum
}

// delayed counts a chunk that was held until it was due.
func (p *plan) delayed(bytes int, requested, delivered time.Duration) {
	for _, b := range p.list() {
		b.fault.counters.delayed(!b.touched.Swap(true), bytes, requested, delivered)
	}
}

// flushed counts queued chunks for the faults that are no longer in the next plan.
func (p *plan) flushed(next *plan, chunks int) {
	for _, b := range p.list() {
		if chunks > 0 && !next.has(b.fault) {
			b.fault.counters.flushed(!b.touched.Swap(true), chunks)
		}
	}
}

// overflowed counts that reading stopped.
func (p *plan) overflowed() {
	for _, b := range p.list() {
		b.fault.counters.overflowed()
	}
}
