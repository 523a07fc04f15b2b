package proxy

import (
	"encoding/json"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
	"sync"
	"time"

	"mishap/internal/forward"
	"mishap/internal/proxy/fault"
)

// Stats says what a fault did. No traffic, no counts.
type Stats struct {
	Connections uint64   `json:"connections"`        // connections that it held up, changed or ended; of udp, clients
	Requests    uint64   `json:"requests,omitempty"` // of http: requests that it hit, and that are over
	Spared      uint64   `json:"spared,omitempty"`   // of http: requests that went on unharmed beyond maxActive
	Chunks      uint64   `json:"chunks"`             // pieces of streams that left when they were due, and datagrams
	Bytes       uint64   `json:"bytes"`              // bytes of those
	Ends        uint64   `json:"ends"`               // ends of streams that left when they were due
	Dropped     uint64   `json:"dropped"`            // bytes that were lost, of datagrams and of streams
	Lost        uint64   `json:"lost"`               // datagrams that were lost
	Ended       uint64   `json:"ended"`              // connections that it ended: refused, reset, or cut
	Flushed     uint64   `json:"flushed"`            // chunks or requests let go before they were due, because the fault ended; may still grow just after
	Overflow    uint64   `json:"overflow"`           // times that reading stopped because the delay line was full
	Requested   Delays   `json:"requested"`          // what was to wait, over all faults that held it
	Delivered   Delays   `json:"delivered"`          // what it waited, from read to the start of the send
	InForceOn   Coverage `json:"inForceOn"`

	Arms       *ByArm      `json:"arms,omitempty"`       // of a fault confined to an arm, once it has seen one
	Allocation *Allocation `json:"allocation,omitempty"` // of arms: how requests, counted above, were assigned
	Counting   *Counting   `json:"counting,omitempty"`   // of arms that count units: what they were told so far
}

// Felt is how many times the fault did something: delayed, lost, or ended.
func (s Stats) Felt() uint64 {
	if s.Requests > 0 {
		return s.Requests
	}
	if n := s.Delivered.Count + s.Lost + s.Ended; n > 0 {
		return n
	}
	return s.Dropped + s.Chunks
}

// Did says for a person what a fault did besides delaying, and what went wrong with it; empty if nothing.
func (s Stats) Did() string {
	var did []string
	say := func(n uint64, format string) {
		if n > 0 {
			did = append(did, fmt.Sprintf(format, n))
		}
	}
	if a := s.Allocation; a != nil {
		say(a.Experiment.Requests, "%d requests of the experiment")
		say(a.Control.Requests, "%d of control")
		say(a.WithoutKey, "%d without the key")
		return strings.Join(did, ", ")
	}
	say(s.Requests, "%d requests hit")
	if a := s.Arms; a != nil {
		say(a.Control.Passed, "%d of control let pass")
		say(a.Control.Treated, "%d of control hit, which must not be")
	}
	say(s.Spared, "%d requests spared, beyond maxActive")
	say(s.Ended, "%d connections ended")
	say(s.Lost, "%d datagrams lost")
	say(s.Dropped, "%d bytes lost")
	say(s.Flushed, "%d let go before they were due")
	say(s.Overflow, "%d times no room to hold more, so that the delay grew")
	return strings.Join(did, ", ")
}

// Coverage says on how many of the open connections that a fault is meant for it is in force.
type Coverage struct {
	Connections int `json:"connections"`
	Of          int `json:"of"`
	Left        int `json:"left,omitempty"` // of them in the process before a restart
}

// Complete says whether the fault is in force wherever it is meant to be.
func (c Coverage) Complete() bool { return c.Connections == c.Of }

// Delays sums up a set of delays. The percentiles are right to about 3 %.
type Delays struct {
	Count                    uint64
	Min, Mean, Max, P50, P99 time.Duration
}

// wireDelays is Delays as JSON: durations are strings.
type wireDelays struct {
	Count uint64         `json:"count"`
	Min   fault.Duration `json:"min"`
	Mean  fault.Duration `json:"mean"`
	Max   fault.Duration `json:"max"`
	P50   fault.Duration `json:"p50"`
	P99   fault.Duration `json:"p99"`
}

// String sums the delays up for a person: "none" if there were none.
func (d Delays) String() string {
	if d.Count == 0 {
		return "none"
	}
	return fmt.Sprintf("mean %v, p50 %v, p99 %v, max %v, %d times", digits(d.Mean), digits(d.P50), digits(d.P99), digits(d.Max), d.Count)
}

// digits leaves three of a duration.
func digits(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit)
}

// MarshalJSON writes durations as strings; without delays there is only the count.
func (d Delays) MarshalJSON() ([]byte, error) {
	if d.Count == 0 {
		return []byte(`{"count":0}`), nil
	}
	return json.Marshal(wireDelays{d.Count, fault.Duration(d.Min), fault.Duration(d.Mean), fault.Duration(d.Max), fault.Duration(d.P50),
		fault.Duration(d.P99)})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (d *Delays) UnmarshalJSON(data []byte) error {
	var w wireDelays
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	*d = Delays{w.Count, time.Duration(w.Min), time.Duration(w.Mean), time.Duration(w.Max), time.Duration(w.P50),
		time.Duration(w.P99)}
	return nil
}

const (
	subBits = 4                    // 16 buckets for each doubling
	subs    = 1 << subBits         //
	octaves = 32                   // from 1 µs to over an hour
	buckets = subs * (octaves + 1) // the first 16 µs have a bucket each
)

// histogram counts delays in buckets that grow with the delay. It takes no memory until it counts.
type histogram struct {
	count    uint64
	sum      time.Duration
	min, max time.Duration
	bucket   []uint64
}

func (h *histogram) add(d time.Duration) {
	if h.bucket == nil {
		h.bucket = make([]uint64, buckets)
		h.min = d
	}
	h.count++
	h.sum += d
	h.min, h.max = min(h.min, d), max(h.max, d)
	h.bucket[bucketOf(d)]++
}

// bucketOf is the bucket of a delay.
func bucketOf(d time.Duration) int {
	us := uint64(max(d, 0) / time.Microsecond)
	if us < subs {
		return int(us)
	}
	octave := bits.Len64(us) - subBits // 1 for 16 to 31 µs
	return min(octave*subs+int(us>>(octave-1))-subs, buckets-1)
}

// middle is the delay in the middle of a bucket.
func middle(b int) time.Duration {
	if b < subs {
		return time.Duration(b)*time.Microsecond + time.Microsecond/2
	}
	octave := b / subs
	low, width := uint64(b%subs+subs)<<(octave-1), uint64(1)<<(octave-1)
	return time.Duration(low)*time.Microsecond + time.Duration(width)*time.Microsecond/2
}

// quantile is the smallest delay that at least the share q of all delays does not exceed.
func (h *histogram) quantile(q float64) time.Duration {
	rank, seen := uint64(math.Ceil(q*float64(h.count))), uint64(0)
	for b, n := range h.bucket {
		if seen += n; seen >= rank {
			return min(max(middle(b), h.min), h.max)
		}
	}
	return h.max
}

// below is how many delays do not exceed the bound, as far as the buckets tell: one that the bound lies in counts if its
// middle does not.
func (h *histogram) below(bound time.Duration) (n uint64) {
	for b, count := range h.bucket {
		if middle(b) > bound {
			break
		}
		n += count
	}
	return n
}

// clone is a copy that is not counted into any more.
func (h *histogram) clone() histogram {
	other := *h
	other.bucket = slices.Clone(h.bucket)
	return other
}

func (h *histogram) summary() Delays {
	if h.count == 0 {
		return Delays{}
	}
	return Delays{h.count, h.min, h.sum / time.Duration(h.count), h.max, h.quantile(0.50), h.quantile(0.99)}
}

// counters are the live numbers of one fault.
type counters struct {
	mu                   sync.Mutex
	stats                Stats // but for Requested and Delivered
	requested, delivered histogram
	spared               []func() uint64 // of each form that the fault has had
	arms                 *[2]armEffect   // control and experiment; nil until a request of an arm comes
	book                 *armsBook       // of arms; guarded by the registry
}

// touched counts a connection that the fault does something to.
func (c *counters) touched() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Connections++
}

// piece counts what left: as says what became of it.
func (c *counters) piece(as fault.Piece, delays bool, requested, delivered time.Duration) {
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

// waited counts a wait that is not of bytes.
func (c *counters) waited(requested, delivered time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requested.add(requested)
	c.delivered.add(delivered)
}

// lost counts a datagram that was lost.
func (c *counters) lost(bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Lost++
	c.stats.Dropped += uint64(bytes)
}

// endedOne counts a connection that the fault ended.
func (c *counters) endedOne() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Ended++
}

// flushed counts chunks that were held, and let go before they were due.
func (c *counters) flushed(chunks int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Flushed += uint64(chunks)
}

func (c *counters) overflowed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Overflow++
}

// request counts a request that the fault hit.
func (c *counters) request(h forward.Hit, x *forward.Exchange) {
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

// spares adds what counts the requests that went on unharmed.
func (c *counters) spares(count func() uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spared = append(c.spared, count)
}

// histograms are copies of what was requested and delivered.
func (c *counters) histograms() (requested, delivered histogram) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requested.clone(), c.delivered.clone()
}

func (c *counters) snapshot() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	for _, count := range c.spared {
		s.Spared += count()
	}
	s.Requested, s.Delivered, s.Arms = c.requested.summary(), c.delivered.summary(), c.byArm()
	return s
}
