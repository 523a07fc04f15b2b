package registry

import (
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
	firstAttempt
	answered   // the head of its answer has gone out
	succeeded  // so far, or at its end
	ended      // it is over, or judged
	unfinished // it was judged when patience was over
	gone       // the client left before it had an answer
	refused4xx
	limited // 429
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

// arm is 0 for control, and 1 for the experiment.
func (r *armRequest) arm() int {
	if r.has(inExperiment) {
		return 1
	}
	return 0
}

// status notes what is counted of the status besides whether it is a success.
func (r *armRequest) status(x *forward.Exchange) {
	r.set(refused4xx, x.Status >= 400 && x.Status < 500)
	r.set(limited, x.Status == http.StatusTooManyRequests)
}

// count counts a request that is over.
func (b *armsBook) count(c *armCount, r *armRequest) {
	c.Requests++
	add := func(n *uint32, s requestState) {
		if r.has(s) {
			*n++
		}
	}
	add(&c.FirstAttempts, firstAttempt)
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
	add(&c.FirstSuccesses, firstAttempt)
	c.latency[b.binOf(time.Duration(r.took)*time.Microsecond)]++
}
