package comparison

import (
	"fmt"
	"math"
	"slices"
	"time"

	"mishap"
	"mishap/internal/analysis"
	"mishap/internal/metrics"
)

// metric is one metric of the comparison. Its buckets are what is drawn; what
// decides is what its book counts.
type metric struct {
	mishap.CompareMetric
	source   metrics.Source
	book     *book  // nil: only totals are known, which decide nothing
	stretch  arms   // since the last look
	baseline arms   // before the fault
	since    arms   // from the injection on
	missing  string // what its source did not give, since the last look
	failed   string // the last time that it did not
}

// tellsWhoMet reports whether the metric's book knows which requests met the
// fault: the edge does.
func (m *metric) tellsWhoMet() bool { return m.Source == metrics.FromProxy }

// arms is what both arms did over some time.
type arms struct {
	control, experiment analysis.Arm
	seconds             float64
}

// span is when what some buckets count began.
type span struct{ from, to time.Time }

func (s *span) add(b analysis.Bucket) {
	if s.from.IsZero() || b.Start.Before(s.from) {
		s.from = b.Start
	}
	if end := b.Start.Add(b.Width); end.After(s.to) {
		s.to = end
	}
}

// take folds one bucket, for the pictures. What cannot be is said and left out.
func (c *Comparison) take(m *metric, b analysis.Bucket) {
	if err := b.Check(); err != nil {
		m.missing, m.failed = err.Error(), err.Error()
		return
	}
	if !b.Start.Before(c.injected) { // a look with the fault is of nothing that began without it
		m.stretch.add(b)
		c.span.add(b)
	}
	switch {
	case c.injected.IsZero() || !b.Start.Add(b.Width).After(c.injected):
		m.baseline.add(b)
	case !b.Start.Before(c.injected):
		m.since.add(b)
	}
}

func (a *arms) add(b analysis.Bucket) {
	a.seconds += b.Width.Seconds()
	addArm(&a.control, b.Control)
	addArm(&a.experiment, b.Experiment)
}

func addArm(sum *analysis.Arm, a analysis.Arm) {
	sum.Requests += a.Requests
	sum.Successes += a.Successes
	sum.Events += a.Events
	if a.Gauge != nil {
		sum.Gauge = a.Gauge
	}
	if a.Latency.IsZero() {
		return
	}
	if !slices.Equal(sum.Latency.Bounds, a.Latency.Bounds) {
		sum.Latency = analysis.Histogram{Bounds: a.Latency.Bounds, Counts: make([]int64, len(a.Latency.Counts))}
	}
	for i, n := range a.Latency.Counts {
		sum.Latency.Counts[i] += n
	}
}

func armLook(a analysis.Arm, curve bool) mishap.ArmLook {
	look := mishap.ArmLook{
		Requests: a.Requests, Successes: a.Successes, Events: a.Events, Gauge: a.Gauge,
		P50: quantile(a.Latency, 0.5), P99: quantile(a.Latency, 0.99),
	}
	if curve {
		look.Bounds, look.Counts = a.Latency.Bounds, slices.Clone(a.Latency.Counts)
	}
	return look
}

// quantile is the p-quantile of a histogram in seconds, from the upper edge of
// its bin. The last bin, which has no edge, is of failures: they have no latency.
// 0 if there are none but those.
func quantile(h analysis.Histogram, p float64) mishap.Duration {
	if len(h.Bounds) == 0 {
		return 0
	}
	var all, below int64
	for _, n := range h.Counts[:len(h.Bounds)] {
		all += n
	}
	need := int64(math.Ceil(p * float64(all)))
	for i, n := range h.Counts[:len(h.Bounds)] {
		if below += n; below >= need && n > 0 {
			return seconds(h.Bounds[i])
		}
	}
	return 0
}

// seconds is a duration in three digits: bins are no finer.
func seconds(s float64) mishap.Duration {
	d := time.Duration(s * float64(time.Second))
	unit := time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return mishap.Duration(d.Round(unit))
}

// percent is a share for people.
func percent(share float64) string { return fmt.Sprintf("%.4g %%", 100*share) }
