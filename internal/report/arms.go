package report

import (
	"math"
	"slices"
	"time"

	"mishap"
	"mishap/internal/report/words"
)

// recent is the stretch that "now" means for the traffic of an arm.
const recent = 10 * time.Second

// arms is what both arms have come to at one look, ready to be shown. It holds
// nothing that the run goes on to change.
type arms struct {
	phase      mishap.ComparisonPhase
	control    arm
	experiment arm
	metrics    []metric
	harm       float64 // proof of harm over all metrics
	clear      float64 // proof of no harm: of the metric that has the least
	guarded    bool    // a metric has a margin, so that there can be such a proof
	extra      float64
	budget     float64
	left       time.Duration
	outcome    mishap.ComparisonOutcome
	unmet      bool // nothing has met a fault: that the arms differ is not its harm
	reason     string
	doubts     []string
	intervals  *mishap.Intervals // what decides; nil of a run that was judged by proofs, or in the baseline
}

// arm is one arm since the fault went in, or since the baseline began.
type arm struct {
	name      string
	requests  int64
	successes int64
	counted   bool    // requests and successes were measured
	now       float64 // requests per second lately
	p50, p99  time.Duration
}

// metric is one metric of a look beside what the experiment says of it.
type metric struct {
	mishap.MetricLook
	spec mishap.CompareMetric
}

// The names of the arms for a person.
const (
	controlName    = "control, left alone"
	experimentName = "experiment, with fault"
)

// compared is the look that a run is judged by, or while there is none, the
// last one; nil if the run has no arms, or nobody looked yet.
func compared(r *mishap.Run) *arms {
	look := r.Compared()
	if look == nil && len(r.Looks) > 0 {
		look = r.Looks[len(r.Looks)-1]
	}
	if look == nil {
		return nil
	}
	return armsOf(r, look)
}

// armsOf is one look of a run.
func armsOf(r *mishap.Run, look *mishap.Comparison) *arms {
	a := &arms{
		phase: look.Phase, harm: look.Harm, extra: math.Max(0, look.Extra), left: look.Left.Std(), outcome: look.Outcome, reason: look.Reason,
		doubts: slices.Clone(look.Doubts), clear: 1,
		unmet:     look.Phase == mishap.InHold && r.WithoutEffect(),
		intervals: look.Intervals,
		control:   arm{name: controlName}, experiment: arm{name: experimentName},
	}
	if c := r.Plan.Experiment.Compare; c != nil {
		a.budget = c.StopAfter.ExtraFailures
	}
	for _, m := range look.Metrics {
		one := metric{MetricLook: m, spec: specOf(r, m)}
		a.metrics = append(a.metrics, one)
		a.control.add(one, m.Total.Control)
		a.experiment.add(one, m.Total.Experiment)
		if one.guarded() {
			a.guarded, a.clear = true, math.Min(a.clear, m.Clear)
		}
	}
	if !a.guarded {
		a.clear = 0
	}
	a.decided()
	a.lately(r, look)
	return a
}

// decided takes the requests of both arms from what decides, where it does, so
// that the same is counted everywhere.
func (a *arms) decided() {
	if a.intervals == nil {
		return
	}
	for _, r := range a.intervals.Rows {
		if r.What == "failed" {
			a.control.requests, a.control.successes, a.control.counted = r.Control.Of, r.Control.Of-r.Control.Bad, true
			a.experiment.requests, a.experiment.successes, a.experiment.counted = r.Experiment.Of, r.Experiment.Of-r.Experiment.Bad, true
			return
		}
	}
}

// specOf is what the experiment says of a metric. One that it does not name, as
// a comparison may add some of its own, is known by its numbers.
func specOf(r *mishap.Run, m mishap.MetricLook) mishap.CompareMetric {
	if c := r.Plan.Experiment.Compare; c != nil {
		for _, s := range c.Metrics {
			if s.Name == m.Name || s.Name == "" && string(s.Metric) == m.Name {
				return s
			}
		}
	}
	s := mishap.CompareMetric{Name: m.Name, Metric: mishap.EventRate}
	switch total := m.Total.Control; {
	case total.Gauge != nil:
		s.Metric = mishap.Gauge
	case total.P50 > 0:
		s.Metric = mishap.Latency
	case m.Difference != nil, total.Successes > 0:
		s.Metric = mishap.SuccessRate
	}
	return s
}

// guarded reports whether the metric can be cleared.
func (m metric) guarded() bool { return m.spec.Margin != mishap.Margin{} }

// add takes what a metric knows of the arm; the first that knows it counts.
func (a *arm) add(m metric, total mishap.ArmLook) {
	if m.spec.Metric == mishap.SuccessRate && !a.counted {
		a.requests, a.successes, a.counted = total.Requests, total.Successes, true
	}
	if a.p50 == 0 && a.p99 == 0 {
		a.p50, a.p99 = total.P50.Std(), total.P99.Std()
	}
}

// success is the share of the arm's requests that went well.
func (a arm) success() (share float64, known bool) {
	if !a.counted || a.requests == 0 {
		return 0, false
	}
	return float64(a.successes) / float64(a.requests), true
}

// lately measures the traffic of both arms in the last stretch before a look.
func (a *arms) lately(r *mishap.Run, look *mishap.Comparison) {
	var both [2]int64
	var covered time.Duration
	last := len(r.Looks) - 1
	for last >= 0 && r.Looks[last] != look { // mostly it is the last one
		last--
	}
	for i := last; i >= 0 && covered < recent && r.Looks[i].Phase == look.Phase; i-- {
		from, to := r.Looks[i].Span()
		covered += to.Sub(from)
		for _, m := range r.Looks[i].Metrics {
			if specOf(r, m).Metric == mishap.SuccessRate {
				both[0], both[1] = both[0]+m.Control.Requests, both[1]+m.Experiment.Requests
				break
			}
		}
	}
	if covered > 0 {
		a.control.now, a.experiment.now = float64(both[0])/covered.Seconds(), float64(both[1])/covered.Seconds()
	}
}

// gap is a metric's difference between the arms at one look, in the units of
// its picture.
func (m metric) gap() *mishap.Interval {
	switch {
	case m.Difference != nil && m.spec.Metric == mishap.SuccessRate:
		return &mishap.Interval{Low: 100 * m.Difference.Low, Estimate: 100 * m.Difference.Estimate, High: 100 * m.Difference.High}
	case m.Difference != nil:
		return m.Difference
	case m.Ratio != nil:
		return &mishap.Interval{Low: 100 * (m.Ratio.Low - 1), Estimate: 100 * (m.Ratio.Estimate - 1), High: 100 * (m.Ratio.High - 1)}
	}
	return nil
}

// gapMargin is the margin in the units of the picture, on the side of harm.
func (m metric) gapMargin() float64 {
	switch d, r := m.spec.Margin.Difference, m.spec.Margin.Ratio; {
	case d != 0 && m.spec.Metric == mishap.SuccessRate:
		return 100 * d // of failures, which are harm when they grow
	case d != 0 && m.spec.Harm == mishap.Decrease:
		return -d
	case d != 0:
		return d
	case r != 0 && m.Ratio != nil:
		return 100 * (r - 1)
	}
	return math.NaN()
}

// succeeded is the share of requests that went well, as far as it is known.
func (a arm) succeeded() string {
	if share, known := a.success(); known {
		return words.Percent(share)
	}
	return "-"
}
