package forward

import (
	"context"
	"slices"
	"sync/atomic"
	"time"
)

// Hit is one fault that hit a request.
type Hit struct {
	Fault         *Fault
	Before, After time.Duration // drawn for the request
	Lifted        bool          // the fault was taken off while the request was under way
	LetGo         bool          // it was, before the request had waited for as long as was drawn
}

// decision is what the faults do to one request. It follows the board for as long as the request waits.
type decision struct {
	active *atomic.Int64 // the server's
	board  *Board
	set    *faultSet
	hits   []Hit
	spared []*Fault // looked at: they do not concern the request, or were full
	passed []*Fault // of those, the ones that concern another arm of the request's run, or were full

	// Where the request belongs. Faults look at what it is assigned to here, or else at its baggage, unless that comes from
	// outside.
	edge   bool
	as     Assignment // here
	member membership // as far as a fault asked
	own    []byte     // members of ours, as they go upstream

	pool *buffers
	seen looked // of the answer

	requested, delivered time.Duration // over both waits
	next                 phase         // the wait that is not over yet
}

// reset makes d ready for the next request and keeps its memory.
func (d *decision) reset(s *Server) {
	s.active.Add(1)
	*d = decision{active: &s.active, board: s.board(), pool: &s.pool, edge: s.Edge, hits: d.hits[:0], spared: d.spared[:0], passed: d.passed[:0], own: d.own[:0]}
}

// begin assigns the request to an arm, if there are arms, and takes up the faults that are in force when it comes.
func (d *decision) begin(r request, at time.Time) {
	d.set = d.board.load()
	for _, f := range d.set.faults {
		if a := f.rule.Arms; a != nil && d.as.Arm == NoArm && f.rule.Match.matches(r) {
			d.as = a.assign(f.rule.Share, r, at)
		}
	}
	if a := d.as.arms; a != nil {
		d.member = membership{run: a.Run, arm: d.as.Arm}
		if a.Book != nil {
			a.Book.Begin(&d.as)
		}
	}
	for _, f := range d.set.faults {
		d.consider(f, r)
	}
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
			h.Lifted, h.LetGo = true, d.next <= beforeUpstream && h.Before > 0 || d.next <= afterUpstream && h.After > 0
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
	late := d.next > beforeUpstream
	if f.rule.Watch != nil && !late {
		d.watch(f, r)
	}
	if late && !f.rule.onResponse() || f.rule.Watch != nil {
		d.spared = append(d.spared, f)
		return
	}
	concerns, inArm, id := f.rule.Arms == nil && f.rule.Match.matches(r), true, ""
	if m := f.rule.Match.Member; concerns && m.Token != "" {
		concerns, inArm, id = d.belongs(m, r)
	}
	if !concerns || !inArm || !f.rule.Share.picks(r, id) || !f.enter() {
		d.spared = append(d.spared, f)
		if concerns && f.rule.Match.Member.Token != "" {
			d.passed = append(d.passed, f)
		}
		return
	}
	h := Hit{Fault: f, After: draw(f.rule.After)}
	if !late {
		h.Before = draw(f.rule.Before)
	}
	d.hits = append(d.hits, h)
}

// watch tells of a request that the rule of a watch would hit.
func (d *decision) watch(f *Fault, r request) {
	w := f.rule.Watch
	if !f.rule.Match.matches(r) {
		return
	}
	said := d.claim(r)
	switch {
	case said.run != w.Run || said.arm == NoArm || !said.hasToken:
		w.Others()
	case f.rule.Share.picks(r, said.id):
		w.Met(said.id, slices.ContainsFunc(d.set.faults, func(g *Fault) bool { return g.rule.Match.Member.Run == w.Run }))
	}
}

// book is what counts the request; nil if nothing does.
func (d *decision) book() Book {
	if d.as.arms == nil {
		return nil
	}
	return d.as.arms.Book
}

// observed says whether anybody wants to know of the exchange.
func (d *decision) observed(s *Server) bool { return s.Observe != nil || d.book() != nil }

// answered says that the head of the response has gone out.
func (d *decision) answered(x *Exchange) {
	x.Found = d.seen.found
	if b := d.book(); b != nil {
		b.Answered(&d.as, x)
	}
}

// report says that the exchange is over.
func (d *decision) report(s *Server, x *Exchange) {
	x.Total = time.Since(x.Start)
	x.Hits, x.Requested, x.Delivered = d.hits, d.requested, d.delivered
	x.Run, x.Arm, x.Passed = d.member.run, d.member.arm, d.passed
	d.seen.judge(x, d.pool)
	if b := d.book(); b != nil {
		b.End(&d.as, x)
	}
	if s.Observe != nil {
		s.Observe(x)
	}
}

// tags says what the request has to say of itself upstream, and whether what it said before is to be taken out.
func (d *decision) tags(s *Server) (own []byte, strip bool) {
	a := d.as.arms
	if s.Egress || a == nil {
		return nil, s.Egress || s.Edge
	}
	d.own = append(d.own[:0], a.tagsOf(d.as.Arm, d.as.Unit)...)
	if a.IDs != nil && d.as.Mark != NoMark {
		d.own = a.IDs.Append(append(d.own, idMember...), d.as.Mark)
	}
	return d.own, true
}

func draw(sample func() time.Duration) time.Duration {
	if sample == nil {
		return 0
	}
	return min(max(sample(), 0), MaxDelay)
}

// end gives back the places that the request has taken.
func (d *decision) end() {
	d.active.Add(-1)
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
	nowhere // all waits are over
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

// holds says whether the request has to wait at one point. If not, it is past that.
func (d *decision) holds(r request, p phase) bool {
	d.follow(r)
	if d.wait(p) > 0 {
		return true
	}
	d.next = p + 1
	return false
}

// hold keeps the request until all delays of the moment have passed since the given time, never less. It follows the
// board: a fault that comes holds the request too, counted from the same time, and one that goes lets go of it.
func (d *decision) hold(ctx context.Context, r request, p phase, since time.Time) error {
	if !d.holds(r, p) {
		return nil
	}
	defer func() { d.next = p + 1 }()
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
