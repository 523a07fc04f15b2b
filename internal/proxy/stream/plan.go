package stream

import (
	"slices"
	"sync/atomic"
	"time"

	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/registry"
)

// bond ties one fault to one connection.
type bond struct {
	fault    *registry.Active
	touched  atomic.Bool // the fault has changed something of the connection
	up, down *lane       // what it does to bytes; nil if it does nothing to those that go that way
	timer    *time.Timer // ends the connection; nil if the fault does not
}

// newBond ties a fault to the connection with that number.
func newBond(f *registry.Active, connection uint64) *bond {
	b := &bond{fault: f}
	_, cuts := f.Effect.(fault.Limit)
	if s, ok := f.Effect.(fault.Shaper); ok {
		for _, way := range []fault.Direction{fault.Upstream, fault.Downstream} {
			if f.Direction.Covers(way) {
				*b.way(way) = &lane{bond: b, stage: s.Stage(fault.NewDraws(f.Seed, connection, way)), delays: !cuts}
			}
		}
	}
	return b
}

func (b *bond) way(way fault.Direction) **lane {
	if way == fault.Upstream {
		return &b.up
	}
	return &b.down
}

// touch counts the connection, once.
func (b *bond) touch() {
	if !b.touched.Swap(true) {
		b.fault.Counters.Touched()
	}
}

// disarm stops the clock that would end the connection.
func (b *bond) disarm() {
	if b.timer != nil {
		b.timer.Stop()
	}
}

// lane is what one fault does to the bytes of one way of one connection.
type lane struct {
	*bond
	stage  fault.Stage
	delays bool // else it only ends connections
	hit    bool // it does something to the piece that was shaped last
}

// plan is what one pump is to do: the faults on its bytes. A nil plan means: pass bytes on as they come. The lock of
// the line guards what the lanes remember.
type plan struct {
	lanes  []*lane
	drops  bool          // bytes are lost
	window int64         // bytes to read ahead; 0 is as many as there is room for
	wait   time.Duration // that is usual
}

// newPlan picks the bonds that act on one way; nil if none does.
func newPlan(way fault.Direction, bonds []*bond) *plan {
	p := &plan{}
	for _, b := range bonds {
		l := *b.way(way)
		if l == nil {
			continue
		}
		p.lanes = append(p.lanes, l)
		switch e := b.fault.Effect.(type) {
		case fault.Timeout:
			p.drops = p.drops || e.Drops()
		case fault.Latency:
			p.wait += time.Duration(e.Delay + 2*e.Jitter)
		}
	}
	for _, l := range p.lanes {
		if e, ok := l.fault.Effect.(fault.Bandwidth); ok {
			window := e.Window(p.wait)
			if p.window == 0 || window < p.window {
				p.window = window
			}
		}
	}
	if len(p.lanes) == 0 {
		return nil
	}
	return p
}

// list is the lanes of a plan, which may be nil.
func (p *plan) list() []*lane {
	if p == nil {
		return nil
	}
	return p.lanes
}

// has says whether the plan holds a fault.
func (p *plan) has(f *registry.Active) bool {
	return slices.ContainsFunc(p.list(), func(l *lane) bool { return l.fault == f })
}

// equal says whether two plans hold the same faults.
func (p *plan) equal(q *plan) bool { return slices.Equal(p.list(), q.list()) }

// dropping says whether bytes are lost under the plan, which may be nil.
func (p *plan) dropping() bool { return p != nil && p.drops }

// ahead is how many bytes may be read ahead; 0 is as many as there is room for.
func (p *plan) ahead() int64 {
	if p == nil {
		return 0
	}
	return p.window
}

// tolerance is how late a line may be before it counts as being behind: what a busy machine does to timers, or a part of
// the delay that does not matter beside it.
func (p *plan) tolerance() time.Duration {
	const least, part = 2 * time.Millisecond, 20
	return max(least, p.wait/part)
}

// shape asks all stages what becomes of the bytes at the head of a line, in one piece or less.
func (p *plan) shape(at fault.Piece) fault.Piece {
	if at.Size > 0 {
		size := at.Size
		for _, l := range p.list() {
			size = min(size, l.stage.Most(at))
		}
		at.Size = size
	}
	for _, l := range p.list() {
		if l.hit = l.stage.Shape(&at); l.hit {
			l.touch()
		}
	}
	return at
}

// sent tells the stages that a piece, as they shaped it, left, and counts it.
func (p *plan) sent(as fault.Piece, now, requested, delivered time.Duration) {
	for _, l := range p.list() {
		l.stage.Sent(as, now)
		if l.hit {
			l.fault.Counters.Piece(as, l.delays, requested, delivered)
		}
		if _, cuts := l.fault.Effect.(fault.Limit); cuts && as.Last != fault.GoesOn && l.hit {
			l.fault.Counters.EndedOne()
		}
	}
}

// flushed counts chunks that were held up by faults which are no longer in the next plan.
func (p *plan) flushed(next *plan, chunks int) {
	for _, l := range p.list() {
		if chunks > 0 && l.hit && !next.has(l.fault) {
			l.fault.Counters.Flushed(chunks)
		}
	}
}

// overflowed counts that reading stopped.
func (p *plan) overflowed() {
	for _, l := range p.list() {
		l.fault.Counters.Overflowed()
	}
}
