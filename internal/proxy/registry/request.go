package registry

import (
	"math"
	"net/http"
	"time"

	"mishap/internal/forward"
	"mishap/internal/slots"
)

// armRequest is one request of an arm, until its bucket is closed.
type armRequest struct {
	came  uint32 // microseconds after the beginning of its bucket
	took  uint32 // microseconds to its end
	slot  uint32 // of its unit, and which of those there it is
	who   uint8  //
	parts uint16 // of the traffic that rows are confined to, a bit each
	is    requestState
}

// requestState is what is known of a request.
type requestState uint16

const (
	inExperiment requestState = 1 << iota
	newUnit                   // its unit came for the first time
	answered                  // the head of its answer has gone out
	succeeded                 // so far, or at its end
	ended                     // it is over, or judged
	unfinished                // it was judged when patience was over
	gone                      // the client left before it had an answer
	refused4xx
	limited // 429
	unsaid  // its answer is one of which nobody said what it is
	moved   // it was redirected
	cut     // its answer began well, and was not whole within patience
	late    // it had no answer within patience, and may have been served after it
	sealed  // its answer could not be looked at
	met     // it met the fault, or would have
	inForce // and by then the fault was in
)

func (r *armRequest) set(s requestState, yes bool) {
	r.is &^= s
	if yes {
		r.is |= s
	}
}

// place is where its unit is counted.
func (r *armRequest) place() slots.Place {
	return slots.Place{Arm: slots.Arm(r.arm()), Slot: r.slot, Who: r.who}
}

func (r *armRequest) has(s requestState) bool { return r.is&s != 0 }

// began says whether the head of an answer has gone out that may be a success.
func (r *armRequest) began() bool { return r.is&(answered|succeeded) == answered|succeeded }

// judge ends a request when patience is over. What is answered is a success that took longer; what is not has failed. A
// tunnel has had its answer, and nothing has cut it.
func (r *armRequest) judge(patience time.Duration) {
	r.is |= ended
	if r.took == 0 {
		r.is |= unfinished
		r.set(cut, r.began())
		r.set(late, r.has(late) || !r.has(answered))
		r.took = micros(patience) + 1
	}
}

// micros is a time in microseconds, and never none.
func micros(d time.Duration) uint32 { return uint32(max(min(d/time.Microsecond, math.MaxUint32-1), 1)) }

// arm is 0 for control, and 1 for the experiment.
func (r *armRequest) arm() int {
	if r.has(inExperiment) {
		return 1
	}
	return 0
}

// status notes what is counted of the status besides whether it is a success.
func (b *armsBook) status(r *armRequest, x *forward.Exchange) {
	r.set(refused4xx, x.Status >= 400 && x.Status < 500)
	r.set(limited, x.Status == http.StatusTooManyRequests)
	r.set(unsaid, b.success.Unsaid(x))
	switch x.Status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		r.set(moved, true)
	}
}

// count counts a request that is over.
func (b *armsBook) count(c *armCount, r *armRequest) {
	c.Requests++
	add := func(n *uint32, s requestState) {
		if r.has(s) {
			*n++
		}
	}
	add(&c.Units, newUnit)
	add(&c.Gone, gone)
	add(&c.Unfinished, unfinished)
	add(&c.Refused, refused4xx)
	add(&c.Limited, limited)
	add(&c.Sealed, sealed)
	if !r.has(succeeded) {
		c.latency[armsBins-1]++
		return
	}
	c.Successes++
	c.latency[b.binOf(time.Duration(r.took)*time.Microsecond)]++
}
