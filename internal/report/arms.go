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

// Arms is what both arms have come to at one look, ready to be shown. It holds
// nothing that the run goes on to change.
type Arms struct {
	Phase      mishap.ComparisonPhase
	Control    Arm
	Experiment Arm
	Metrics    []Metric
	Harm       float64 // proof of harm over all metrics
	Clear      float64 // proof of no harm: of the metric that has the least
	Guarded    bool    // a metric has a margin, so that there can be such a proof
	extra      float64
	budget     float64
	left       time.Duration
	Outcome    mishap.ComparisonOutcome
	unmet      bool // nothing has met a fault: that the arms differ is not its harm
	reason     string
	Doubts     []string
	Intervals  *mishap.Intervals // what decides; nil of a run that was judged by proofs, or in the baseline
}

// Arm is one arm since the fault went in, or since the baseline began.
type Arm struct {
	Name      string
	Requests  int64
	successes int64
	Counted   bool    // requests and successes were measured
	Now       float64 // requests per second lately
	P50, P99  time.Duration
}

// Metric is one metric of a look beside what the experiment says of it.
type Metric struct {
	mishap.MetricLook
	Spec mishap.CompareMetric
}

// The names of the arms for a person.
const (
	controlName    = "control, left alone"
	experimentName = "experiment, with fault"
)

// Compared is the look that a run is judged by, or while there is none, the
// last one; nil if the run has no arms, or nobody looked yet.
func Compared(r *mishap.Run) *Arms {
	look := r.Compared()
	if look == nil && len(r.Looks) > 0 {
		look = r.Looks[len(r.Looks)-1]
	}
	if look == nil {
		return nil
	}
	return ArmsOf(r, look)
}

// ArmsOf is one look of a run.
func ArmsOf(r *mishap.Run, look *mishap.Comparison) *Arms {
	a := &Arms{
		Phase: look.Phase, Harm: look.Harm, extra: math.Max(0, look.Extra), left: look.Left.Std(), Outcome: look.Outcome, reason: look.Reason,
		Doubts: slices.Clone(look.Doubts), Clear: 1,
		unmet:     look.Phase == mishap.InHold && r.WithoutEffect() && !met(look.Intervals), // which may be known first
		Intervals: look.Intervals,
		Control:   Arm{Name: controlName}, Experiment: Arm{Name: experimentName},
	}
	if c := r.Plan.Experiment.Compare; c != nil {
		a.budget = c.StopAfter.ExtraFailures
	}
	for _, m := range look.Metrics {
		one := Metric{MetricLook: m, Spec: SpecOf(r, m)}
		a.Metrics = append(a.Metrics, one)
		a.Control.add(one, m.Total.Control)
		a.Experiment.add(one, m.Total.Experiment)
		if one.guarded() {
			a.Guarded, a.Clear = true, math.Min(a.Clear, m.Clear)
		}
	}
	if !a.Guarded {
		a.Clear = 0
	}
	a.decided()
	a.lately(r, look)
	return a
}

// met reports whether requests of the experiment are known to have met a fault.
func met(i *mishap.Intervals) bool { return i != nil && i.Met != nil && i.Met.Experiment > 0 }

// decided takes the requests of both arms from what decides, where it does, so
// that the same is counted everywhere.
func (a *Arms) decided() {
	if a.Intervals == nil {
		return
	}
	for _, r := range a.Intervals.Rows {
		if r.What == "failed" {
			a.Control.Requests, a.Control.successes, a.Control.Counted = r.Control.Of, r.Control.Of-r.Control.Bad, true
			a.Experiment.Requests, a.Experiment.successes, a.Experiment.Counted = r.Experiment.Of, r.Experiment.Of-r.Experiment.Bad, true
			return
		}
	}
}

// SpecOf is what the experiment says of a metric. One that it does not name, as
// a comparison may add some of its own, is known by its numbers.
func SpecOf(r *mishap.Run, m mishap.MetricLook) mishap.CompareMetric {
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
func (m Metric) guarded() bool { return m.Spec.Margin != mishap.Margin{} }

// add takes what a metric knows of the arm; the first that knows it counts.
func (a *Arm) add(m Metric, total mishap.ArmLook) {
	if m.Spec.Metric == mishap.SuccessRate && !a.Counted {
		a.Requests, a.successes, a.Counted = total.Requests, total.Successes, true
	}
	if a.P50 == 0 && a.P99 == 0 {
		a.P50, a.P99 = total.P50.Std(), total.P99.Std()
	}
}

// Success is the share of the arm's requests that went well.
func (a Arm) Success() (share float64, known bool) {
	if !a.Counted || a.Requests == 0 {
		return 0, false
	}
	return float64(a.successes) / float64(a.Requests), true
}

// lately measures the traffic of both arms in the last stretch before a look.
func (a *Arms) lately(r *mishap.Run, look *mishap.Comparison) {
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
			if SpecOf(r, m).Metric == mishap.SuccessRate {
				both[0], both[1] = both[0]+m.Control.Requests, both[1]+m.Experiment.Requests
				break
			}
		}
	}
	if covered > 0 {
		a.Control.Now, a.Experiment.Now = float64(both[0])/covered.Seconds(), float64(both[1])/covered.Seconds()
	}
}

// Gap is a metric's difference between the arms at one look, in the units of
// its picture.
func (m Metric) Gap() *mishap.Interval {
	switch {
	case m.Difference != nil && m.Spec.Metric == mishap.SuccessRate:
		return &mishap.Interval{Low: 100 * m.Difference.Low, Estimate: 100 * m.Difference.Estimate, High: 100 * m.Difference.High}
	case m.Difference != nil:
		return m.Difference
	case m.Ratio != nil:
		return &mishap.Interval{Low: 100 * (m.Ratio.Low - 1), Estimate: 100 * (m.Ratio.Estimate - 1), High: 100 * (m.Ratio.High - 1)}
	}
	return nil
}

// GapMargin is the margin in the units of the picture, on the side of harm.
func (m Metric) GapMargin() float64 {
	switch d, r := m.Spec.Margin.Difference, m.Spec.Margin.Ratio; {
	case d != 0 && m.Spec.Metric == mishap.SuccessRate:
		return 100 * d // of failures, which are harm when they grow
	case d != 0 && m.Spec.Harm == mishap.Decrease:
		return -d
	case d != 0:
		return d
	case r != 0 && m.Ratio != nil:
		return 100 * (r - 1)
	}
	return math.NaN()
}

// Succeeded is the share of requests that went well, as far as it is known.
func (a Arm) Succeeded() string {
	if share, known := a.Success(); known {
		return words.Percent(share)
	}
	return "-"
}
