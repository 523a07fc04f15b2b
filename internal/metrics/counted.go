package metrics

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mishap"
	"mishap/internal/analysis"
	"mishap/internal/slots"
)

// Counted is a source that knows the units of the arms, and not only the arms.
// Only what it counts can decide a comparison.
type Counted interface {
	// Counted gives all that is counted by the last call of Closed. An error says
	// why there is nothing, or that it is of no use: [ErrNoUnits], [ErrBegunAnew].
	Counted() (Counts, error)
}

// Binned is a source whose thresholds must be bounds of its histograms, since it
// knows nothing of what lies between.
type Binned interface {
	Binned() bool
}

// Why nothing is counted of units.
var (
	// ErrNoUnits is a source that knows arms alone.
	ErrNoUnits = errors.New("the source knows no units")
	// ErrOldProxy is a proxy of a version that counts none; it is an ErrNoUnits.
	ErrOldProxy = fmt.Errorf("the proxy is of an earlier version of mishap, which counts no units; let it start anew: %w", ErrNoUnits)
	// ErrBegunAnew is a source that has lost what it had counted.
	ErrBegunAnew = errors.New("what was counted of the units is lost: the counting began anew")
)

// Counts is what is counted of the units of both arms.
type Counts struct {
	// Sums are over units, by rows with the names of
	// [mishap.CompareMetric.CountedRows]. Their trials are all, from the first on.
	Sums       slots.Snapshot
	Thresholds []Threshold // empty until they are set
	// Answers is how long answers took in the baseline, by rows that are not of all
	// requests, until thresholds are set.
	Answers map[string]analysis.Histogram
	// Before and Since are all requests of closed buckets, whether they met the
	// fault or not, before the injection and from the first bucket on that begins
	// after it.
	Before, Since Totals
	// Met is how many of the requests that the sums are of met the fault; nil if
	// nobody knows.
	Met *Met
	// UnderWay are requests that came before the injection and were not over:
	// they are in neither.
	UnderWay mishap.ArmCount
}

// Met is how many requests met the fault, or would have, before the injection and
// since.
type Met struct{ Before, Since MetOf }

// MetOf is how many did, of how many.
type MetOf struct{ Met, Of mishap.ArmCount }

// Totals is how many requests there were, and what became of them.
type Totals struct {
	Requests mishap.ArmCount
	Failed   mishap.ArmCount
	Refused  mishap.ArmCount // answers of 4xx, whether they failed or not
	Limited  mishap.ArmCount // of those, 429
	Sealed   mishap.ArmCount // answers whose content could not be looked at
}

// Threshold is how long an answer may take that a row does not count as slow.
// Control's holds for both arms in the baseline.
type Threshold struct {
	Row                 string
	Control, Experiment time.Duration
}

// ArmsTeller tells the proxy of the arms what it counts by.
type ArmsTeller interface {
	// SetThresholds fixes those of all rows that need one. They can be set again
	// only to the same.
	SetThresholds(ctx context.Context, all []Threshold) error
	// SetInjecting tells when the faults are put in, and gives the time that the
	// proxy goes by. It can be told again only with the same time.
	SetInjecting(ctx context.Context, at time.Time) (time.Time, error)
}

// SetThresholds fixes the thresholds of all rows of latencies. What was counted
// of them before is nothing, so that their baseline begins now.
func (p *Proxy) SetThresholds(ctx context.Context, all []Threshold) error {
	if err := p.reader.arms.SetThresholds(ctx, all); err != nil {
		return fmt.Errorf("set thresholds at the proxy: %w", err)
	}
	return nil
}

// Injecting says that the faults are put in from now on. It must have returned
// before the first is: requests that come later are counted as those with the
// fault in, and those that are under way as neither.
func (p *Proxy) Injecting(ctx context.Context, at time.Time) error {
	used, err := p.reader.arms.SetInjecting(ctx, at)
	if err != nil {
		return fmt.Errorf("tell the proxy of the injection: %w", err)
	}
	p.reader.mu.Lock()
	defer p.reader.mu.Unlock()
	p.reader.injected = used
	return nil
}

// Counted gives what the proxy has counted of units.
func (p *Proxy) Counted() (Counts, error) { return p.reader.Counted() }

// Counted gives what the proxy has counted of units.
func (r *proxyReader) Counted() (Counts, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.counting != nil:
		return Counts{}, r.counting
	case r.counts == nil:
		return Counts{}, fmt.Errorf("read arms of the proxy: %w: it was not asked yet", ErrUnavailable)
	}
	c := *r.counts
	c.Sums.TrialsFrom, c.Sums.Trials = 0, r.trials
	c.Before, c.Since = r.before, r.since
	return c, nil
}

// count takes what a page says of units. It is for callers that hold the lock.
func (r *proxyReader) count(page ArmsPage) {
	if page.Counts == nil {
		r.counting = ErrOldProxy
		return
	}
	sums := page.Counts.Sums
	switch {
	case r.counting != nil:
		return
	case r.counts != nil && !r.counts.Sums.Began.Equal(sums.Began):
		r.counting = ErrBegunAnew
		return
	case sums.TrialsFrom > len(r.trials):
		r.counting = fmt.Errorf("%w: units' first requests are missing", ErrBegunAnew)
		return
	}
	r.trials = r.trials[:sums.TrialsFrom] + sums.Trials
	counts := *page.Counts
	counts.Thresholds = slices.Clone(counts.Thresholds)
	r.counts = &counts
	if r.injected.IsZero() {
		r.injected = sums.Injected
	}
}

// total adds up a bucket. It is for callers that hold the lock.
func (r *proxyReader) total(b ArmsBucket) {
	sum := &r.before
	if !r.injected.IsZero() && !b.Start.Before(r.injected) {
		sum = &r.since
	}
	sum.Requests = plus(sum.Requests, b.Totals.Requests)
	sum.Failed = plus(sum.Failed, b.Totals.Failed)
	sum.Refused = plus(sum.Refused, b.Totals.Refused)
	sum.Limited = plus(sum.Limited, b.Totals.Limited)
	sum.Sealed = plus(sum.Sealed, b.Totals.Sealed)
}

func plus(a, b mishap.ArmCount) mishap.ArmCount {
	return mishap.ArmCount{Control: a.Control + b.Control, Experiment: a.Experiment + b.Experiment}
}

// Counted gives what the source has counted of units.
func (t *tap) Counted() (Counts, error) {
	if c, ok := t.feed.source.(Counted); ok {
		return c.Counted()
	}
	return Counts{}, ErrNoUnits
}
