package attempts

import (
	"hash/maphash"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"mishap/internal/forward"
	"mishap/internal/proxy/fault"
)

const (
	keptAttempts = 1 << 14 // of one watch: 1.5 MiB
	maxWatches   = 4       // of one proxy
	longestWatch = fault.Duration(10 * time.Minute)
)

// How an attempt ended.
const (
	OK     = "ok"
	Failed = "failed" // 5xx, 408, 429, a gRPC status that is a failure of the server, a reset, no upstream
	GaveUp = "gave up"
)

// Attempt is one call that came to a proxy, or of tcp one connection. Times are in microseconds.
type Attempt struct {
	ID      string `json:"id,omitempty"`    // stands for the request that it is an attempt of
	Loose   bool   `json:"loose,omitempty"` // the id is of a trace, and of all its calls to one method and path
	Source  string `json:"source"`
	Arm     string `json:"arm,omitempty"` // as baggage said
	Start   int64  `json:"start"`         // since the watch began
	Head    int64  `json:"head,omitempty"`
	Total   int64  `json:"total"`
	Outcome string `json:"outcome"`
	Status  int    `json:"status,omitempty"`
}

// Watched is what a watch has seen.
type Watched struct {
	Proxy    string    `json:"proxy"`
	Protocol string    `json:"protocol"`
	Since    time.Time `json:"since"` // when the watch began; another one means that everything begins anew
	Now      int64     `json:"now"`   // microseconds since then
	Seq      uint64    `json:"seq"`   // ask for what comes after it
	Lost     uint64    `json:"lost"`  // attempts since the last time that came too fast to be kept
	Attempts []Attempt `json:"attempts"`
}

// Watch asks for the attempts that came to a proxy.
type Watch struct {
	// ID is what tells the attempts of one request from others: header:NAME; or empty, for Amz-Sdk-Invocation-Id,
	// Idempotency-Key, or the trace-id of traceparent with method and path, whichever there is.
	ID    string         `json:"id,omitempty"`
	After uint64         `json:"after,omitempty"` // attempts that are known already
	Keep  fault.Duration `json:"keep"`            // how long the watch goes on, if nobody asks again
}

// Recorder records the attempts that come to one proxy while somebody watches. Nothing is recorded unless somebody has asked
// for it: it costs a look at the headers of each request, and memory; and a proxy should not remember who called it.
type Recorder struct {
	seed    maphash.Seed
	watches atomic.Pointer[[]*record] // nil: nobody watches

	mu   sync.Mutex // of who watches
	over bool
}

// record is one watch.
type record struct {
	id    identity
	since time.Time
	end   *time.Timer

	mu   sync.Mutex
	ring []kept
	seq  uint64 // of the last
}

// kept is an attempt as it is kept. No text of the caller is, but its address.
type kept struct {
	id                 uint64 // 0: none
	start, head, total time.Duration
	source             netip.Addr
	status             uint16
	loose              bool
	arm                uint8
	outcome            uint8
}

// noted is what is known of a request before it is passed on.
type noted struct {
	arm uint8
	ids []requestID // of each of these
	of  []*record
}

// NewRecorder makes the recorder of one proxy.
func NewRecorder() *Recorder { return &Recorder{seed: maphash.MakeSeed()} }

// Identify is called with every request.
func (c *Recorder) Identify(r forward.Incoming) any {
	watches := c.watches.Load()
	if watches == nil {
		return nil
	}
	n := &noted{arm: armOf(r), of: *watches}
	for _, w := range n.of {
		n.ids = append(n.ids, w.id.of(c.seed, r))
	}
	return n
}

// Exchange records a request that is over.
func (c *Recorder) Exchange(x *forward.Exchange) {
	n, ok := x.Note.(*noted)
	if !ok {
		return
	}
	k := kept{head: x.Head, total: x.Total, source: x.Source, status: uint16(x.Status), arm: n.arm, outcome: outcomeOf(x)}
	switch {
	case k.outcome == gaveUp && x.Left > 0:
		k.head, k.total = 0, x.Left
	case x.Status == http.StatusSwitchingProtocols:
		k.total = x.Head // what follows is no answer
	}
	for i, w := range n.of {
		k.id, k.loose = n.ids[i].hash, n.ids[i].loose
		w.add(k, x.Start)
	}
}

// Connection records a connection of TCP when it was made, or was not.
func (c *Recorder) Connection(arrived time.Time, source netip.Addr, made bool) {
	watches := c.watches.Load()
	if watches == nil {
		return
	}
	k := kept{total: time.Since(arrived), source: source}
	if !made {
		k.outcome = refused
	}
	for _, w := range *watches {
		if !arrived.Before(w.since) {
			w.add(k, arrived)
		}
	}
}

func (r *record) add(k kept, start time.Time) {
	k.start = start.Sub(r.since)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.ring) < keptAttempts {
		r.ring = append(r.ring, k)
	} else {
		r.ring[r.seq%keptAttempts] = k
	}
	r.seq++
}

// Watch begins a watch, or goes on with it, and gives what it has seen.
func (c *Recorder) Watch(name string, ask Watch) (Watched, error) {
	id, err := parseIdentity(ask.ID)
	switch {
	case err != nil:
		return Watched{}, err
	case ask.Keep <= 0 || ask.Keep > longestWatch:
		return Watched{}, fault.Refused(http.StatusBadRequest, "give keep, such as \"30s\"", "a watch goes on for above 0 and at most %s",
			time.Duration(longestWatch))
	}
	r, err := c.begin(id, time.Duration(ask.Keep))
	if err != nil {
		return Watched{}, err
	}
	w := r.after(ask.After)
	w.Proxy = name
	return w, nil
}

// begin finds the watch that goes by the same ids, or begins it, and lets it go on for so long.
func (c *Recorder) begin(id identity, keep time.Duration) (*record, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var now []*record
	if list := c.watches.Load(); list != nil {
		now = *list
	}
	for _, r := range now {
		if r.id == id {
			r.end.Reset(keep)
			return r, nil
		}
	}
	if len(now) == maxWatches || c.over {
		return nil, fault.Refused(http.StatusConflict, "wait until one has ended, or use an id that is watched already",
			"%d watches go by other ids", len(now))
	}
	r := &record{id: id, since: time.Now()}
	r.end = time.AfterFunc(keep, func() { c.end(r) })
	next := append(slices.Clone(now), r)
	c.watches.Store(&next)
	return r, nil
}

// end forgets a watch and what it has seen.
func (c *Recorder) end(r *record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.watches.Load()
	if list == nil {
		return
	}
	next := slices.DeleteFunc(slices.Clone(*list), func(o *record) bool { return o == r })
	if len(next) == 0 {
		c.watches.Store(nil)
		return
	}
	c.watches.Store(&next)
}

// Close ends all watches, for good.
func (c *Recorder) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	if list := c.watches.Swap(nil); list != nil {
		for _, r := range *list {
			r.end.Stop()
		}
	}
}

// after is what came after an attempt that is known.
func (r *record) after(seq uint64) Watched {
	r.mu.Lock()
	defer r.mu.Unlock()
	if seq > r.seq {
		seq = 0 // of another watch
	}
	first := seq
	if r.seq > keptAttempts {
		first = max(seq, r.seq-keptAttempts)
	}
	w := Watched{Since: r.since, Now: time.Since(r.since).Microseconds(), Seq: r.seq, Lost: first - seq, Attempts: []Attempt{}}
	for n := first; n < r.seq; n++ {
		w.Attempts = append(w.Attempts, r.ring[n%keptAttempts].told())
	}
	return w
}

func (k kept) told() Attempt {
	a := Attempt{Loose: k.loose, Arm: arms()[k.arm], Start: k.start.Microseconds(), Head: k.head.Microseconds(),
		Total: k.total.Microseconds(), Outcome: outcomes()[k.outcome], Status: int(k.status)}
	if k.source.IsValid() {
		a.Source = k.source.String()
	}
	if k.id != 0 {
		a.ID = strconv.FormatUint(k.id, 36)
	}
	return a
}

// seeded hashes what callers send, so that ids can be compared and not read.
func seeded(seed maphash.Seed, parts ...string) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	for _, p := range parts {
		_, _ = h.WriteString(p)
		_ = h.WriteByte(0)
	}
	return max(h.Sum64(), 1)
}
