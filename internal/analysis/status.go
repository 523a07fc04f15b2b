package analysis

import (
	"math"
	"time"
)

// Status is what a person or a report is shown. All of it may be looked at any
// time.
type Status struct {
	Decision Decision `json:"decision"`
	// Harm is the proof of harm in all metrics together, from 0 to 1.
	Harm float64 `json:"harm"`
	// PValue is the probability of that much evidence at any time, if there
	// were no harm.
	PValue        float64        `json:"pValue"`
	ExtraFailures float64        `json:"extraFailures"`
	Metrics       []MetricStatus `json:"metrics"`
}

// MetricStatus is one metric of a [Status].
type MetricStatus struct {
	Name string `json:"name"`
	// Harm and Clear are proofs from 0 to 1: of harm, at the metric's own part
	// of alpha, and of no harm beyond the margin.
	Harm  float64 `json:"harm"`
	Clear float64 `json:"clear"`
	// HarmLogE and ClearLogE are the evidence itself.
	HarmLogE  float64 `json:"harmLogE"`
	ClearLogE float64 `json:"clearLogE"`
	// PValue is the metric's alone.
	PValue float64 `json:"pValue"`
	// Control and Experiment are totals since the beginning.
	Control    Arm `json:"control"`
	Experiment Arm `json:"experiment"`
	// Ratio is the experiment's rate over control's (failures per request,
	// events by share), and Difference the difference of the shares of
	// failures, each with its interval of confidence 1-alpha; nil where there
	// are none.
	Ratio      *Interval     `json:"ratio,omitempty"`
	Difference *Interval     `json:"difference,omitempty"`
	Covered    time.Duration `json:"covered"`
	Refused    int           `json:"refused,omitempty"`
	Doubts     []string      `json:"doubts,omitempty"`
}

// Status is the state of the comparison at a time. It decides as
// [Comparison.Decide] does.
func (c *Comparison) Status(at time.Time) Status {
	logE := c.HarmLogE()
	s := Status{Decision: c.Decide(at), Harm: progress(logE, c.plan.Alpha), PValue: math.Min(1, math.Exp(-logE)), ExtraFailures: c.ExtraFailures()}
	for i, stream := range c.streams {
		s.Metrics = append(s.Metrics, c.metricStatus(stream, c.weights[i], at))
	}
	return s
}

func (c *Comparison) metricStatus(s *stream, weight float64, at time.Time) MetricStatus {
	h, stake := s.evidence().harm()
	m := MetricStatus{
		Name: s.metric.Name, HarmLogE: h.logE(stake), PValue: h.pValue(),
		Control: s.Totals.Control, Experiment: s.Totals.Experiment, Covered: s.Covered, Refused: s.Refused,
	}
	m.Harm = progress(m.HarmLogE, c.plan.Alpha*weight)
	if s.metric.guarded() {
		m.ClearLogE = s.evidence().clearLogE()
		m.Clear = progress(m.ClearLogE, c.plan.Beta)
		m.Doubts = s.doubts(c.begun, at.Round(0))
	}
	c.intervals(&m, s.metric)
	return m
}

// intervals are those of counts; they assume independent ones, and a
// dispersion divides the counts they are computed from.
func (c *Comparison) intervals(m *MetricStatus, metric Metric) {
	e, ctl, phi := m.Experiment, m.Control, metric.Dispersion
	switch {
	case metric.Block > 0 || metric.Kind == Gauge || metric.Kind == Latency:
	case metric.Kind == SuccessRate && e.Requests > 0 && ctl.Requests > 0:
		fE, fC := float64(e.Requests-e.Successes), float64(ctl.Requests-ctl.Successes)
		nE, nC := float64(e.Requests), float64(ctl.Requests)
		if fE+fC > 0 {
			r := RatioInterval(fE/phi, fC/phi, nE/(nE+nC), c.plan.Alpha)
			m.Ratio = &r
		}
		d := DifferenceInterval(fE/phi, nE/phi, fC/phi, nC/phi, c.plan.Alpha)
		m.Difference = &d
	case metric.Kind == EventRate:
		x, y := float64(e.Events), float64(ctl.Events)
		if metric.Name == trafficName {
			x, y = float64(e.Requests), float64(ctl.Requests)
		}
		if x+y > 0 {
			r := RatioInterval(x/phi, y/phi, c.plan.Share, c.plan.Alpha)
			m.Ratio = &r
		}
	}
}
