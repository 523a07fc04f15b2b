package registry

import (
	"slices"
	"time"

	"mishap/internal/forward"
	"mishap/internal/proxy/fault"
	"mishap/internal/slots"
)

// armsPage is the most buckets in one report.
const armsPage = 300

// ArmsReport is what became of the requests of the arms of a run, bucket by bucket.
type ArmsReport struct {
	Fault   string    `json:"fault"`
	Run     string    `json:"run"`
	Proxy   string    `json:"proxy"`
	State   State     `json:"state"`
	Key     string    `json:"key"`
	Share   float64   `json:"share"` // of the units, of each arm
	Started time.Time `json:"started"`

	Width    fault.Duration `json:"width"`    // of a bucket
	Patience fault.Duration `json:"patience"` // the longest that a bucket stays open after its end
	Delay    fault.Duration `json:"delay"`    // since the end of the newest closed bucket
	// Bounds are those of the latencies, in seconds, ascending. A latency is in the first bin whose bound it does not exceed.
	Bounds []float64 `json:"bounds"`

	Allocation Allocation   `json:"allocation"`
	Oldest     uint64       `json:"oldest"` // the first closed bucket that can be read; 0 if there is none
	Newest     uint64       `json:"newest"` // the last
	Buckets    []ArmsBucket `json:"buckets"`
	More       bool         `json:"more"` // there are others after the last one here: ask again at once
	// Counted is what is counted of units so far; nil if nothing is.
	Counted *Counted `json:"counted,omitempty"`
}

// Counted is what is counted of the units of both arms, and with what.
type Counted struct {
	Sums       slots.Snapshot `json:"sums"`
	Thresholds []Threshold    `json:"thresholds,omitempty"` // empty until they are told
	// Answers are those of rows that need a threshold and are not of all requests, until they are told one.
	Answers []RowAnswers `json:"answers,omitempty"`
	// UnderWay are the requests that came before the injection and were not over: they are of neither time.
	UnderWay PerArm `json:"underWay"`
	// Joined is which requests met the fault; nil if rows are of all of them.
	Joined *Joined `json:"joined,omitempty"`
}

// Counting is what arms count units by.
type Counting struct {
	Thresholds []Threshold `json:"thresholds,omitempty"`
	Injected   time.Time   `json:"injected,omitzero"` // when the faults of their run were injected
}

// PerArm is a number of each arm.
type PerArm struct {
	Control    uint64 `json:"control"`
	Experiment uint64 `json:"experiment"`
}

// Allocation is how requests were assigned so far.
type Allocation struct {
	Control    ArmUnits `json:"control"`
	Experiment ArmUnits `json:"experiment"`
	Outside    uint64   `json:"outside"`    // requests whose unit is in neither arm
	WithoutKey uint64   `json:"withoutKey"` // requests that lack what makes a unit
	TooLong    uint64   `json:"tooLong"`    // requests in neither arm because their baggage has no room
	Malformed  uint64   `json:"malformed"`  // requests of both arms whose baggage is malformed besides: some programs drop it whole
	// Capped says that there are more units than are told apart; from then on Units stands still.
	Capped bool `json:"capped,omitempty"`
}

// Requests is how many requests are in an arm.
func (a Allocation) Requests() uint64 { return a.Control.Requests + a.Experiment.Requests }

// ArmUnits is how much was assigned to an arm.
type ArmUnits struct {
	Units    uint64 `json:"units"`
	Requests uint64 `json:"requests"`
}

// ArmsBucket is what came within a stretch of time. It is closed, and does not change any more.
type ArmsBucket struct {
	Seq        uint64    `json:"seq"`   // 1 for the first, and no gaps
	Start      time.Time `json:"start"` // of the stretch
	Control    ArmBucket `json:"control"`
	Experiment ArmBucket `json:"experiment"`
}

// ArmBucket is one arm of a bucket.
type ArmBucket struct {
	Requests   uint32 `json:"requests"`
	Successes  uint32 `json:"successes"`
	Refused    uint32 `json:"refused,omitempty"`    // answers of 4xx, whether they are successes or not
	Limited    uint32 `json:"limited,omitempty"`    // of those, 429
	Sealed     uint32 `json:"sealed,omitempty"`     // answers whose content could not be looked at, and that go by their status
	Gone       uint32 `json:"gone,omitempty"`       // failures: the client left before it had an answer
	Unfinished uint32 `json:"unfinished,omitempty"` // judged when patience was over: a success if the head of the answer had gone out
	Units      uint32 `json:"units,omitempty"`      // that came for the first time
	// Latency counts requests by how long they took to the last byte: one bin for each bound, and the last for failures.
	// It is empty if there were no requests.
	Latency []uint32 `json:"latency,omitempty"`
}

// report gives the closed buckets after a number, and the first requests of units from one on.
func (b *armsBook) report(after uint64, trials int, now time.Time) ArmsReport {
	b.mu.Lock()
	defer b.mu.Unlock()
	since := max(now.Sub(b.start), 0)
	b.advance(since)
	r := ArmsReport{Started: b.start, Width: fault.Duration(fault.ArmsWidth), Patience: fault.Duration(b.patience), Buckets: []ArmsBucket{},
		Allocation: b.allocation(), Newest: uint64(b.closed), Delay: fault.Duration(since - time.Duration(b.closed)*fault.ArmsWidth)}
	if u := b.units; u != nil {
		r.Counted = &Counted{Sums: u.book.Snapshot(trials), Thresholds: u.thresholds, Answers: u.rowAnswers(), UnderWay: PerArm{u.underWay[0], u.underWay[1]}}
		if b.join != nil {
			joined := b.joined()
			r.Counted.Joined = &joined
		}
	}
	for _, edge := range b.edges {
		r.Bounds = append(r.Bounds, edge.Seconds())
	}
	if b.closed == 0 {
		return r
	}
	r.Oldest = uint64(max(b.closed-int64(armsKept), 0)) + 1
	for seq := max(after+1, r.Oldest); seq <= r.Newest; seq++ {
		if r.More = len(r.Buckets) == armsPage; r.More {
			break
		}
		r.Buckets = append(r.Buckets, b.closedBucket(seq))
	}
	return r
}

func (b *armsBook) closedBucket(seq uint64) ArmsBucket {
	number := int64(seq - 1)
	out := ArmsBucket{Seq: seq, Start: b.start.Add(time.Duration(number) * fault.ArmsWidth)}
	if bucket := b.ring[number%int64(armsKept)]; bucket != nil {
		out.Control, out.Experiment = bucket.arms[0].report(), bucket.arms[1].report()
	}
	return out
}

func (c *armCount) report() ArmBucket {
	out := c.ArmBucket
	if out.Requests > 0 {
		out.Latency = c.latency[:] // of a closed bucket, which nobody writes
	}
	return out
}

// allocation is for callers that hold the lock.
func (b *armsBook) allocation() Allocation {
	return Allocation{
		Control:    ArmUnits{b.unitCount[0], b.assigned[0]},
		Experiment: ArmUnits{b.unitCount[1], b.assigned[1]},
		Outside:    b.skipped[forward.Outside].Load(),
		WithoutKey: b.skipped[forward.WithoutKey].Load(),
		TooLong:    b.skipped[forward.TooLong].Load(),
		Malformed:  b.malformed, Capped: b.capped(),
	}
}

// capped says that units are not told apart any more.
func (b *armsBook) capped() bool {
	return b.known.capped
}

// counting is what the arms were told to count units by; nil if they count none.
func (b *armsBook) counting() *Counting {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.units == nil {
		return nil
	}
	return &Counting{Thresholds: slices.Clone(b.units.thresholds), Injected: b.units.injected}
}

// measure gives the allocation, and all that is known of closed buckets.
func (b *armsBook) measure(now time.Time) (Allocation, [2]ArmTotal) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.advance(max(now.Sub(b.start), 0))
	return b.allocation(), b.totals
}
