package forward

import (
	"context"
	"slices"
	"time"
)

// Hit is one fault that hit a request.
type Hit struct {
	Fault         *Fault
	Before, After time.Duration // drawn for the request
	Lifted        bool          // the fault was taken off while the request was under way
}

// decision is what the faults do to one request. It follows the board for as long as the request waits.
type decision struct {
	board  *Board
	set    *faultSet
	hits   []Hit
	spared []*Fault // looked at: they do not concern the request, or were full

	requested, delivered time.Duration // over both waits
}

// reset makes d ready for the next request and keeps its memory.
func (d *decision) reset(board *Board) {
	*d = decision{board: board, hits: d.hits[:0], spared: d.spared[:0]}
}

// follow takes up the faults that have come and drops those that have gone.
func (d *decision) follow(r request) {
	next := d.board.load()
	if next == d.set {
		return
	}
	d.set = next
	for i := range d.hits {
		if h := &d.hits[i]; !h.Lifted && !slices.Contains(next.faults, h.Fault) {
			h.Lifted = true
			h.Fault.leave()
		}
	}
	for _, f := range next.faults {
		if !d.knows(f) {
			d.consider(f, r)
		}
	}
}

func (d *decision) knows(f *Fault) bool {
	return slices.Contains(d.spared, f) || slices.ContainsFunc(d.hits, func(h Hit) bool { return h.Fault == f })
}

// consider decides on one fault, once for the request: its delays and all else that it does go together.
func (d *decision) consider(f *Fault, r request) {
	if !f.rule.Match.matches(r) || !f.rule.Share.hits(r) || !f.enter() {
		d.spared = append(d.spared, f)
		return
	}
	d.hits = append(d.hits, Hit{Fault: f, Before: draw(f.rule.Before), After: draw(f.rule.After)})
}

func draw(sample func() time.Duration) time.Duration {
	if sample == nil {
		return 0
	}
	return min(max(sample(), 0), MaxDelay)
}

// end gives back the places that the request has taken.
func (d *decision) end() {
	for _, h := range d.hits {
		if !h.Lifted {
			h.Fault.leave()
		}
	}
}

// rules calls yield with each rule in force on the request, oldest first.
func (d *decision) rules(yield func(*Rule) bool) {
	for i := range d.hits {
		if h := &d.hits[i]; !h.Lifted && !yield(&h.Fault.rule) {
			return
		}
	}
}

// find gives the oldest rule in force that ok holds for, or nil.
func (d *decision) find(ok func(*Rule) bool) *Rule {
	for r := range d.rules {
		if ok(r) {
			return r
		}
	}
	return nil
}

// phase is one of the two points where a request can wait.
type phase uint8

const (
	beforeUpstream phase = iota
	afterUpstream
)

// wait is how long the request is to wait at one point, in all.
func (d *decision) wait(p phase) (sum time.Duration) {
	for i := range d.hits {
		switch h := &d.hits[i]; {
		case h.Lifted:
		case p == beforeUpstream:
			sum += h.Before
		default:
			sum += h.After
		}
	}
	return sum
}

// hold keeps the request until all delays of the moment have passed since the given time, never less. It follows the
// board: a fault that comes holds the request too, counted from the same time, and one that goes lets go of it.
func (d *decision) hold(ctx context.Context, r request, p phase, since time.Time) error {
	d.follow(r)
	if d.wait(p) == 0 {
		return nil
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		wait := d.wait(p)
		passed := time.Since(since)
		if wait <= passed {
			d.requested += wait
			d.delivered += passed
			return nil
		}
		timer.Reset(wait - passed)
		select {
		case <-timer.C:
		case <-d.set.changed:
			d.follow(r)
		case <-ctx.Done():
			d.requested += wait
			d.delivered += time.Since(since)
			return context.Cause(ctx)
		}
	}
}
