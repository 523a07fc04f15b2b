package registry

import (
	"math"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mishap/internal/forward"
	"mishap/internal/proxy/fault"
)

const (
	armsKept  = int(10 * time.Minute / fault.ArmsWidth) // closed buckets that can be read
	armsEdges = 82                                      // of latencies: 0.1 ms times 2^(1/4), again and again, up to 125 s
	armsBins  = armsEdges + 1                           // the last is of what failed
	noBucket  = forward.NoMark                          // as a mark: the request is in no bucket
	markShift = 24                                      // the bits of a mark below the bucket's number are the request's number in it
)

// armsBook counts what becomes of the requests of both arms, in buckets by the time when they came. A bucket is over when
// all its requests are, or patience after its end: those that are open then count as what they are by then. It is closed
// then, and never changes any more.
// Everything is worked out from the times of requests, not from when anybody looks.
type armsBook struct {
	start    time.Time
	patience time.Duration
	edges    []time.Duration // of latencies
	success  *fault.Success

	skipped [forward.Whys]atomic.Uint64

	mu        sync.Mutex
	stop      bool
	stopped   int64 // with stop: the number of buckets
	closed    int64 // how many are; the number of the first that is not
	open      []*armsBucket
	spare     [][]armRequest // rooms of buckets that are closed
	ring      []*armsClosed  // by number; nil where nothing came
	units     *armsUnits     // nil: none are counted
	join      *armsJoin      // nil: all requests count, whether they meet the fault or not
	known     *knownUnits
	malformed uint64
	assigned  [2]uint64
	unitCount [2]uint64
	totals    [2]ArmTotal // of closed buckets
}

// armsBucket is what came within a bucket's width, from the first that is not closed on; nil where nothing has come.
type armsBucket struct {
	requests []armRequest
	left     int // requests that are not over
}

// armsClosed is a closed bucket.
type armsClosed struct{ arms [2]armCount }

// armCount is one arm of it.
type armCount struct {
	ArmBucket // but for Latency
	latency   [armsBins]uint32
}

// ArmTotal is an arm over all closed buckets.
type ArmTotal struct {
	Requests, Successes uint64
	Latency             [armsBins]uint64
}

// Bound is the upper bound of a bin of latencies; the last has none.
func (ArmTotal) Bound(bin int) (bound time.Duration, bounded bool) {
	return armsEdge(bin), bin < armsEdges
}

func newArmsBook(a fault.Arms, now time.Time) *armsBook {
	b := &armsBook{start: now, patience: a.JudgedAfter(), ring: make([]*armsClosed, armsKept)}
	for k := range armsEdges {
		b.edges = append(b.edges, armsEdge(k))
	}
	b.known = newKnownUnits(a)
	if a.Counts != nil {
		b.success, b.units = a.Counts.Success, newArmsUnits(a.Counts, now)
		if a.Counts.Exposed {
			b.join = &armsJoin{ids: forward.NewIDs()}
		}
	}
	return b
}

// armsEdge is the upper bound of a bin.
func armsEdge(k int) time.Duration { return time.Duration(math.Round(1e5 * math.Pow(2, float64(k)/4))) }

// ids are what the requests get that have to be joined with what they met; nil: none.
func (b *armsBook) ids() *forward.IDs {
	if b.join == nil {
		return nil
	}
	return b.join.ids
}

// Skip counts a request that is in neither arm.
func (b *armsBook) Skip(why forward.Why) { b.skipped[why].Add(1) }

// Begin counts a request that has come.
func (b *armsBook) Begin(a *forward.Assignment) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a.Mark = noBucket
	at := max(a.At.Sub(b.start), 0)
	b.advance(at)
	number := max(int64(at/fault.ArmsWidth), b.closed)
	if b.stop && number >= b.stopped {
		return
	}
	r := armRequest{came: uint32(min(max(at-time.Duration(number)*fault.ArmsWidth, 0), fault.ArmsWidth-1) / time.Microsecond), parts: uint16(a.Parts)}
	if a.Arm == forward.Experiment {
		r.is |= inExperiment
	}
	i := r.arm()
	isNew := b.known.meet(a.Unit)
	if b.units != nil {
		b.units.place(&r, a.Unit)
	}
	r.set(newUnit, isNew)
	if isNew {
		b.unitCount[i]++
	}
	if a.Malformed {
		b.malformed++
	}
	b.assigned[i]++
	bucket := b.bucket(number)
	a.Mark = uint64(number)<<markShift | uint64(len(bucket.requests))
	bucket.requests = append(bucket.requests, r)
	bucket.left++
}

// bucket is the open bucket with a number.
func (b *armsBook) bucket(number int64) *armsBucket {
	i := int(number - b.closed)
	for i >= len(b.open) {
		b.open = append(b.open, nil)
	}
	if b.open[i] == nil {
		bucket := new(armsBucket)
		if n := len(b.spare); n > 0 {
			bucket.requests, b.spare = b.spare[n-1][:0], b.spare[:n-1]
		}
		b.open[i] = bucket
	}
	return b.open[i]
}

// Answered notes that the head of a response has gone out. A change of protocol is over with that.
func (b *armsBook) Answered(a *forward.Assignment, x *forward.Exchange) {
	ok, inTime := x.Failure == forward.None && !x.Found && b.success.Head(x), x.Head <= b.patience
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.find(a, x.Head)
	if r == nil {
		return
	}
	r.is |= answered
	r.set(succeeded, ok && inTime)
	r.set(late, ok && !inTime)
	b.status(r, x)
	if x.Status == http.StatusSwitchingProtocols { // its answer is whole; what follows may still be cut
		r.took = micros(x.Head)
	}
}

// End counts how a request ended, unless its bucket is over.
func (b *armsBook) End(a *forward.Assignment, x *forward.Exchange) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.find(a, x.Total)
	if r == nil {
		return
	}
	took := x.Total
	if x.Status == http.StatusSwitchingProtocols {
		took = x.Head
	}
	ok, inTime := b.success.Succeeded(x, r.began()), b.inTime(x)
	r.set(late, ok && !inTime)
	ok = ok && inTime
	r.set(gone, x.ClientLeft() && !ok)
	r.set(cut, ok && (x.ClientLeft() || x.Status == http.StatusSwitchingProtocols))
	r.set(sealed, x.Sealed)
	b.status(r, x)
	b.settle(a, r, took, ok)
}

// inTime says whether there was an answer before patience was over.
func (b *armsBook) inTime(x *forward.Exchange) bool {
	if x.Head > 0 {
		return x.Head <= b.patience
	}
	return x.Total <= b.patience
}

// find gives a request, so long after it came; nil if its bucket is over.
func (b *armsBook) find(a *forward.Assignment, after time.Duration) *armRequest {
	b.advance(max(a.At.Sub(b.start), 0) + after)
	number := int64(a.Mark >> markShift)
	if a.Mark == noBucket || number < b.closed {
		return nil
	}
	return &b.open[number-b.closed].requests[a.Mark&(1<<markShift-1)]
}

// settle notes one that is over.
func (b *armsBook) settle(a *forward.Assignment, r *armRequest, took time.Duration, ok bool) {
	r.is |= ended
	r.set(succeeded, ok)
	r.took = micros(took)
	b.open[int64(a.Mark>>markShift)-b.closed].left--
}

// binOf is the bin of the latency of a success. Above patience none is told from another: what takes that long may be judged
// before it is over.
func (b *armsBook) binOf(took time.Duration) int {
	i, _ := slices.BinarySearch(b.edges, min(took, b.patience))
	return min(i, armsBins-1)
}

// advance closes what is due so long after the start.
func (b *armsBook) advance(now time.Duration) {
	if idle := int64(now/fault.ArmsWidth) - b.closed - int64(armsKept); idle > 0 && len(b.open) == 0 && !b.stop {
		clear(b.ring) // all that they hold is too old
		b.closed += idle
		if b.join != nil {
			b.join.skip(b.closed)
		}
	}
	for end := time.Duration(b.closed+1) * fault.ArmsWidth; now >= end && (!b.stop || b.closed < b.stopped); end += fault.ArmsWidth {
		bucket := b.at(b.closed)
		if bucket != nil && bucket.left > 0 {
			if now < end+b.patience {
				break
			}
			b.judge(bucket)
		}
		b.close(bucket)
		if len(b.open) > 0 {
			b.open = b.open[1:]
		}
	}
	if b.join != nil {
		b.trim(now)
	}
}

// at is a bucket that is not closed; nil if nothing came in its time.
func (b *armsBook) at(number int64) *armsBucket {
	if i := int(number - b.closed); i < len(b.open) {
		return b.open[i]
	}
	return nil
}

// judge ends what is open.
func (b *armsBook) judge(bucket *armsBucket) {
	for i := range bucket.requests {
		if r := &bucket.requests[i]; r.is&ended == 0 {
			r.judge(b.patience)
		}
	}
	bucket.left = 0
}

// close counts the oldest bucket, which may be nil.
func (b *armsBook) close(bucket *armsBucket) {
	number := b.closed
	slot := &b.ring[number%int64(armsKept)]
	*slot = nil
	b.closed++
	var requests []armRequest
	if bucket != nil {
		requests = bucket.requests
		counted := new(armsClosed)
		*slot = counted
		for i := range requests {
			r := &requests[i]
			b.count(&counted.arms[r.arm()], r)
			if b.units != nil {
				b.time(r, false)
				b.units.count(r, b.came(r, number))
			}
		}
		b.total(counted)
	}
	switch {
	case b.join != nil:
		b.join.keep(requests)
	case b.units != nil:
		b.units.book.Close(b.start.Add(time.Duration(b.closed) * fault.ArmsWidth))
		fallthrough
	default:
		b.reuse(requests)
	}
}

// reuse keeps the room of requests that are counted.
func (b *armsBook) reuse(requests []armRequest) {
	if requests != nil {
		b.spare = append(b.spare, requests)
	}
}

func (b *armsBook) total(c *armsClosed) {
	for i := range c.arms {
		t, arm := &b.totals[i], &c.arms[i]
		t.Requests += uint64(arm.Requests)
		t.Successes += uint64(arm.Successes)
		for bin, n := range arm.latency {
			t.Latency[bin] += uint64(n)
		}
	}
}

// finish ends the book: no bucket begins any more.
func (b *armsBook) finish(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stop {
		return
	}
	at := max(now.Sub(b.start), 0)
	b.advance(at)
	b.stop, b.stopped = true, max(int64((at+fault.ArmsWidth-1)/fault.ArmsWidth), b.closed)
	b.known.forget()
}
