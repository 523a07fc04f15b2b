package analysis

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Bucket is one closed stretch of time, seen in both arms. What it counts is
// put where it started, not where it ended, so that a slow answer is not
// missing from the newest bucket of the arm that is slow.
type Bucket struct {
	Start      time.Time     `json:"start"`
	Width      time.Duration `json:"width"`
	Control    Arm           `json:"control"`
	Experiment Arm           `json:"experiment"`
	// Units are the same counts by units, of a source that is asked for them.
	Units []Unit `json:"-"`
}

// Unit is what one unit of an arm did during a bucket. Units that were there and
// did nothing are among them.
type Unit struct {
	Name       string
	Experiment bool
	Arm        Arm
}

// Arm is what one arm did during a bucket. A metric reads the fields it needs.
type Arm struct {
	// Requests are the trials: units, or requests, that started.
	Requests int64 `json:"requests,omitempty"`
	// Successes are those of Requests that went well.
	Successes int64 `json:"successes,omitempty"`
	// Events are counted without a denominator: stream starts, orders, errors.
	Events int64 `json:"events,omitempty"`
	// Latency has one count per request; put failures and timeouts in its last
	// bin, so that failing slowly is harm and not absence.
	Latency Histogram `json:"latency,omitzero"`
	// Gauge is the mean of a measured level; nil is: not measured.
	Gauge *float64 `json:"gauge,omitempty"`
}

// Histogram counts latencies. Bin i holds (Bounds[i-1], Bounds[i]], the first
// begins at 0 and the last, which has no bound, has no end: there is one count
// more than there are bounds. Bounds are in seconds and ascend.
type Histogram struct {
	Bounds []float64 `json:"bounds,omitempty"`
	Counts []int64   `json:"counts,omitempty"`
}

// IsZero reports whether there is no histogram at all.
func (h Histogram) IsZero() bool { return len(h.Bounds) == 0 && len(h.Counts) == 0 }

// mostCount keeps sums exact in float64 for thousands of years of buckets.
const mostCount = int64(1e12)

// Since turns two readings of running totals into what happened between them.
// A total that fell is [ErrReset], other bounds are [ErrScheme]; how much was
// counted around a reset cannot be known, so none of it is guessed. The gauge
// is the later one.
func (a Arm) Since(earlier Arm) (Arm, error) {
	d := Arm{Requests: a.Requests - earlier.Requests, Successes: a.Successes - earlier.Successes, Events: a.Events - earlier.Events, Gauge: a.Gauge}
	if d.Requests < 0 || d.Successes < 0 || d.Events < 0 {
		return Arm{}, fmt.Errorf("subtract totals: %w: %d requests after %d", ErrReset, a.Requests, earlier.Requests)
	}
	switch {
	case a.Latency.IsZero() && earlier.Latency.IsZero():
		return d, nil
	case !slices.Equal(a.Latency.Bounds, earlier.Latency.Bounds) || len(a.Latency.Counts) != len(earlier.Latency.Counts):
		return Arm{}, fmt.Errorf("subtract totals: %w", ErrScheme)
	}
	d.Latency = Histogram{Bounds: a.Latency.Bounds, Counts: make([]int64, len(a.Latency.Counts))}
	for i := range d.Latency.Counts {
		if d.Latency.Counts[i] = a.Latency.Counts[i] - earlier.Latency.Counts[i]; d.Latency.Counts[i] < 0 {
			return Arm{}, fmt.Errorf("subtract totals: %w: bin %d of the latency", ErrReset, i)
		}
	}
	return d, nil
}

// Check refuses what cannot be.
func (b *Bucket) Check() error {
	if b.Width <= 0 || b.Width > 24*time.Hour {
		return fmt.Errorf("%w: width is %s", ErrBucket, b.Width)
	}
	if err := b.Control.check(); err != nil {
		return fmt.Errorf("control: %w", err)
	}
	if err := b.Experiment.check(); err != nil {
		return fmt.Errorf("experiment: %w", err)
	}
	return nil
}

func (a *Arm) check() error {
	for _, n := range [...]int64{a.Requests, a.Successes, a.Events} {
		if n < 0 || n > mostCount {
			return fmt.Errorf("%w: count of %d", ErrBucket, n)
		}
	}
	if a.Successes > a.Requests {
		return fmt.Errorf("%w: %d successes of %d requests", ErrBucket, a.Successes, a.Requests)
	}
	if a.Gauge != nil && (math.IsNaN(*a.Gauge) || math.Abs(*a.Gauge) > 1e150) {
		return fmt.Errorf("%w: gauge of %g", ErrBucket, *a.Gauge)
	}
	return a.Latency.check()
}

func (h *Histogram) check() error {
	if h.IsZero() {
		return nil
	}
	if len(h.Bounds) == 0 || len(h.Counts) != len(h.Bounds)+1 || len(h.Counts) > 2000 {
		return fmt.Errorf("%w: histogram of %d bounds and %d counts", ErrBucket, len(h.Bounds), len(h.Counts))
	}
	last := 0.0
	for _, bound := range h.Bounds {
		if !(bound > last) || math.IsInf(bound, 1) { // also not a number
			return fmt.Errorf("%w: histogram bound %g after %g", ErrBucket, bound, last)
		}
		last = bound
	}
	for _, n := range h.Counts {
		if n < 0 || n > mostCount {
			return fmt.Errorf("%w: count of %d", ErrBucket, n)
		}
	}
	return nil
}
