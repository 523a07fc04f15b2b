package proxy

import (
	"math"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mishap/internal/forward"
)

// ArmsDelay is how long after its end a bucket is closed at the latest, unless the arms say otherwise.
const ArmsDelay = armsPatience

const (
	armsWidth    = 200 * time.Millisecond            // of a bucket
	armsKept     = int(10 * time.Minute / armsWidth) // closed buckets that can be read
	armsPatience = 2 * time.Second                   // unless the fault says otherwise
	armsEdges    = 82                                // of latencies: 0.1 ms times 2^(1/4), again and again, up to 125 s
	armsBins     = armsEdges + 1                     // the last is of what failed
	maxUnits     = 1 << 18                           // whose failures, and whose coming, are remembered
	retryWindow  = 10 * time.Second                  // a request of a unit so soon after a failure of it is no first attempt
	noBucket     = math.MaxUint64 &^ (markFirst | markAnswered)
	markFirst    = 1
	markAnswered = 2
	markShift    = 2
)

// armsBook counts what becomes of the requests of both arms, in buckets by the time when they came. A bucket is closed when
// all its requests are over, or patience after its end: those that are open then count as what they are by then. A closed
// bucket never changes. Everything is worked out from the times of requests, not from when anybody looks.
type armsBook struct {
	start    time.Time
	patience time.Duration
	edges    []time.Duration // of latencies
	single   bool            // every request is a unit of its own

	skipped [forward.Whys]atomic.Uint64

	mu        sync.Mutex
	over      bool
	stopped   int64         // with over: the number of buckets
	closed    int64         // how many are; the number of the first that is not
	open      []*armsBucket // from that one on; nil where nothing has come
	ring      []*armsBucket // closed ones, by number; nil where nothing came
	units     map[uint64]uint32
	capped    bool
	malformed uint64
	assigned  [2]uint64
	unitCount [2]uint64
	totals    [2]armTotal // of closed buckets
}

// armsBucket is what came within a bucket's width.
type armsBucket struct {
	arms [2]armCount
	left int // requests that are not over
}

// armCount is one arm of a bucket.
type armCount struct {
	ArmBucket                  // but for Latency
	latency   [armsBins]uint32 //
	waiting   [2]uint32        // not over, and not answered; by whether they are first attempts
	answered  [2]uint32        // not over, but answered with success
}

// armTotal is an arm over all closed buckets.
type armTotal struct {
	requests, successes uint64
	latency             [armsBins]uint64
}

func newArmsBook(a Arms, now time.Time) *armsBook {
	key, _ := forward.ParseKey(a.Key) // which is checked
	b := &armsBook{start: now, patience: a.patience(), single: key.Single(), units: make(map[uint64]uint32),
		ring: make([]*armsBucket, armsKept)}
	for k := range armsEdges {
		b.edges = append(b.edges, armsEdge(k))
	}
	return b
}

// armsEdge is the upper bound of a bin.
func armsEdge(k int) time.Duration { return time.Duration(math.Round(1e5 * math.Pow(2, float64(k)/4))) }

// Skip counts a request that is in neither arm.
func (b *armsBook) Skip(why forward.Why) { b.skipped[why].Add(1) }

// Begin counts a request that has come.
func (b *armsBook) Begin(a *forward.Assignment) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a.Mark = noBucket
	at := max(a.At.Sub(b.start), 0)
	b.advance(at)
	number := max(int64(at/armsWidth), b.closed)
	if b.over && number >= b.stopped {
		return
	}
	i := a.Arm - forward.Control
	bucket := b.bucket(number)
	c := &bucket.arms[i]
	isNew, first := b.meet(a.Unit, at)
	a.Mark = uint64(number) << markShift
	if isNew {
		c.Units++
		b.unitCount[i]++
	}
	if first {
		a.Mark |= markFirst
		c.FirstAttempts++
	}
	if a.Malformed {
		b.malformed++
	}
	b.assigned[i]++
	c.Requests++
	c.waiting[a.Mark&markFirst]++
	bucket.left++
}

// bucket is the open bucket with a number.
func (b *armsBook) bucket(number int64) *armsBucket {
	i := int(number - b.closed)
	for i >= len(b.open) {
		b.open = append(b.open, nil)
	}
	if b.open[i] == nil {
		b.open[i] = new(armsBucket)
	}
	return b.open[i]
}

// meet says whether the unit is new, and whether its request is a first attempt. Beyond maxUnits every unit is known, and
// every request a first attempt.
func (b *armsBook) meet(unit uint64, at time.Duration) (isNew, first bool) {
	switch {
	case b.single:
		return true, true
	case b.units == nil: // it came as the arms ended
		return false, true
	}
	failed, known := b.units[unit]
	switch {
	case known:
		return false, failed == 0 || at-time.Duration(failed)*time.Millisecond > retryWindow
	case len(b.units) == maxUnits:
		b.capped = true
		return false, true
	}
	b.units[unit] = 0
	return true, true
}

// Answered notes that the head of a response has gone out. A change of protocol is over with that.
func (b *armsBook) Answered(a *forward.Assignment, x *forward.Exchange) {
	if x.Status >= http.StatusInternalServerError || x.Failure != forward.None {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	bucket, c := b.find(a, x.Head)
	if bucket == nil {
		return
	}
	first := a.Mark & markFirst
	c.waiting[first]--
	c.answered[first]++
	a.Mark |= markAnswered
	if x.Status == http.StatusSwitchingProtocols {
		b.settle(a, bucket, c, x.Head, true)
		a.Mark = noBucket
	}
}

// End counts how a request ended. Late, it only tells of later requests of the unit that they are no first attempts.
func (b *armsBook) End(a *forward.Assignment, x *forward.Exchange) {
	ok := succeeded(x, a.Mark&markAnswered != 0)
	b.mu.Lock()
	defer b.mu.Unlock()
	bucket, c := b.find(a, x.Total)
	if bucket != nil {
		if x.Failure == forward.ClientGone && !ok {
			c.Gone++
		}
		b.settle(a, bucket, c, x.Total, ok)
	}
	if _, known := b.units[a.Unit]; known && !ok {
		b.units[a.Unit] = uint32(min(1+(a.At.Add(x.Total).Sub(b.start))/time.Millisecond, math.MaxUint32))
	}
}

// find gives what a request counts in, so long after it came; nil if that is closed.
func (b *armsBook) find(a *forward.Assignment, after time.Duration) (*armsBucket, *armCount) {
	b.advance(max(a.At.Sub(b.start), 0) + after)
	number := int64(a.Mark >> markShift)
	if a.Mark&^(markFirst|markAnswered) == noBucket || number < b.closed {
		return nil, nil
	}
	bucket := b.open[number-b.closed]
	return bucket, &bucket.arms[a.Arm-forward.Control]
}

// settle counts one that is over.
func (b *armsBook) settle(a *forward.Assignment, bucket *armsBucket, c *armCount, took time.Duration, ok bool) {
	first := a.Mark & markFirst
	if a.Mark&markAnswered != 0 {
		c.answered[first]--
	} else {
		c.waiting[first]--
	}
	bucket.left--
	if ok {
		c.succeed(b.binOf(took), 1, uint32(first))
	} else {
		c.latency[armsBins-1]++
	}
}

func (c *armCount) succeed(bin int, n, first uint32) {
	c.Successes += n
	c.FirstSuccesses += first
	c.latency[bin] += n
}

// binOf is the bin of the latency of a success. Above patience none is told from another: what takes that long may be judged
// before it is over.
func (b *armsBook) binOf(took time.Duration) int {
	i, _ := slices.BinarySearch(b.edges, min(took, b.patience))
	return min(i, armsBins-1)
}

// advance closes what is due so long after the start.
func (b *armsBook) advance(now time.Duration) {
	if idle := int64(now/armsWidth) - b.closed - int64(armsKept); idle > 0 && len(b.open) == 0 && !b.over {
		clear(b.ring) // all that they hold is too old
		b.closed += idle
	}
	for end := time.Duration(b.closed+1) * armsWidth; now >= end && (!b.over || b.closed < b.stopped); end += armsWidth {
		var bucket *armsBucket
		if len(b.open) > 0 {
			bucket = b.open[0]
		}
		if bucket != nil && bucket.left > 0 && now < end+b.patience {
			return
		}
		b.close(bucket)
		if len(b.open) > 0 {
			b.open = b.open[1:]
		}
	}
}

// close judges what is open in the oldest open bucket, which may be nil. What is answered counts as a success that took as
// long as patience; what is not has failed.
func (b *armsBook) close(bucket *armsBucket) {
	b.ring[b.closed%int64(armsKept)] = bucket
	b.closed++
	if bucket == nil {
		return
	}
	for i := range bucket.arms {
		c := &bucket.arms[i]
		answered, waiting := c.answered[0]+c.answered[1], c.waiting[0]+c.waiting[1]
		c.Unfinished = answered + waiting
		c.succeed(b.binOf(b.patience), answered, c.answered[1])
		c.latency[armsBins-1] += waiting
		t := &b.totals[i]
		t.requests += uint64(c.Requests)
		t.successes += uint64(c.Successes)
		for bin, n := range c.latency {
			t.latency[bin] += uint64(n)
		}
	}
}

// stop ends the book: no bucket begins any more.
func (b *armsBook) stop(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		return
	}
	at := max(now.Sub(b.start), 0)
	b.advance(at)
	b.over, b.stopped = true, max(int64((at+armsWidth-1)/armsWidth), b.closed)
	b.units = nil
}
