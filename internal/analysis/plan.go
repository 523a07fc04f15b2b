package analysis

import (
	"fmt"
	"math"
	"time"
)

// Plan is everything a comparison is decided by. It is fixed before the first
// bucket: a metric that is added, dropped or reweighted later voids the bounds.
type Plan struct {
	// Alpha bounds the probability of an abort without harm, over the whole
	// run, all looks and all metrics together; 0 is 0.01.
	Alpha float64 `json:"alpha"`
	// Beta bounds the probability of clearing harm beyond a margin; 0 is 0.01.
	Beta float64 `json:"beta"`
	// Share is the experiment's share of the traffic of both arms, if each
	// counted thing is assigned by chance; 0 is: not known, then only shares
	// of failures, latencies and gauges can be compared.
	Share float64 `json:"share,omitempty"`
	// PerRequest says that each request is assigned by chance with Share, and
	// not only the unit (user, session) that sends it. Buckets of few requests
	// then tell an eighth more; were it not so, a burst of one user would be
	// taken for harm.
	PerRequest bool `json:"perRequest,omitempty"`
	// Horizon is how long after [Comparison.Begin] the comparison ends
	// without an answer; 0 is never.
	Horizon time.Duration `json:"horizon,omitempty"`
	// ExtraFailures is the harm budget: how many failures beyond what control
	// lets expect are spent before the comparison stops, whatever the
	// evidence; 0 is no budget.
	ExtraFailures float64 `json:"extraFailures,omitempty"`
	// Boost spreads what evidence would overshoot the threshold by. It is
	// quicker by a tenth, and holds for independent counts only; metrics with
	// a dispersion, a tolerance or a block are never boosted.
	Boost   bool     `json:"boost,omitempty"`
	Metrics []Metric `json:"metrics"`
}

// Kind is what a metric compares.
type Kind string

// The kinds of metrics.
const (
	// SuccessRate compares shares of failures; harm is more of them.
	SuccessRate Kind = "success-rate"
	// EventRate compares numbers of events, which needs a known share.
	EventRate Kind = "event-rate"
	// Latency compares histograms; harm is slower, in all or in the tail.
	Latency Kind = "latency"
	// Gauge compares levels of arms of equal size, block by block.
	Gauge Kind = "gauge"
)

// Direction is which way harm lies.
type Direction string

// The two ways. For SuccessRate it is always Decrease, for Latency Increase.
const (
	Increase Direction = "increase"
	Decrease Direction = "decrease"
)

// Margin is the harm that still counts as none. One of the two is set, or
// neither: then the metric can abort and needs no clearing.
type Margin struct {
	// Difference is absolute: of the shares of failures (0.005 is half a
	// percentage point), or of a gauge in its own unit.
	Difference float64 `json:"difference,omitempty"`
	// Ratio is relative: of failures, events or latencies (1.2 is a fifth
	// more, 0.95 a twentieth less).
	Ratio float64 `json:"ratio,omitempty"`
}

// Metric is one thing that is compared.
type Metric struct {
	Name   string    `json:"name"`
	Kind   Kind      `json:"kind"`
	Harm   Direction `json:"harm,omitempty"`
	Margin Margin    `json:"margin,omitzero"`
	// Tolerance is a ratio of failures or events up to which harm does not
	// abort; 0 is 1, none.
	Tolerance float64 `json:"tolerance,omitempty"`
	// Usual is the share of failures to expect before any was seen; 0 is 0.01.
	// It costs or saves time and never affects the bounds.
	Usual float64 `json:"usual,omitempty"`
	// Weight is the metric's part of alpha, next to the others; 0 is .3 for
	// rates, .2 for latency, .05 for gauges.
	Weight float64 `json:"weight,omitempty"`
	// Dispersion is how many times the variance of independent counts the
	// counts have, at least 1, as [Dispersion] measures it; 0 is 1. With it
	// the bounds are asymptotic.
	Dispersion float64 `json:"dispersion,omitempty"`
	// Block, if set, compares whole blocks of this length by symmetry, which
	// holds for any dependence within a block, if the arms are equal. Gauges
	// always do so; their block is set by the baseline where it is 0.
	Block time.Duration `json:"block,omitempty"`
}

// trafficName is the guard that every comparison with a known share has:
// traffic that stops in the experiment is harm, and not silence.
const (
	trafficName       = "traffic"
	trafficWeight     = 0.05
	trafficTolerance  = 0.5
	trafficDispersion = 10
)

// complete fills in what is left out, and refuses what cannot be carried out.
func (p Plan) complete() (Plan, error) {
	p.Alpha, p.Beta = orElse(p.Alpha, 0.01), orElse(p.Beta, 0.01)
	p.Metrics = append([]Metric(nil), p.Metrics...)
	switch {
	case !inside(p.Alpha, 0, 0.5) || !inside(p.Beta, 0, 0.5):
		return p, fmt.Errorf("%w: alpha %g and beta %g must be between 0 and 0.5", ErrPlan, p.Alpha, p.Beta)
	case p.Share != 0 && !inside(p.Share, 0, 1):
		return p, fmt.Errorf("%w: share %g must be between 0 and 1", ErrPlan, p.Share)
	case p.PerRequest && p.Share == 0:
		return p, fmt.Errorf("%w: requests that are assigned by chance have a share", ErrPlan)
	case len(p.Metrics) == 0 || len(p.Metrics) > 100:
		return p, fmt.Errorf("%w: %d metrics", ErrPlan, len(p.Metrics))
	case p.Horizon < 0 || !(p.ExtraFailures >= 0) || math.IsInf(p.ExtraFailures, 1):
		return p, fmt.Errorf("%w: horizon %s, budget %g", ErrPlan, p.Horizon, p.ExtraFailures)
	}
	names, rates := map[string]bool{trafficName: true}, 0
	for i := range p.Metrics {
		m := &p.Metrics[i]
		if m.Name == "" || names[m.Name] {
			return p, fmt.Errorf("%w: metric name %q is empty, reserved or used twice", ErrPlan, m.Name)
		}
		names[m.Name] = true
		if err := m.complete(p.Share); err != nil {
			return p, fmt.Errorf("%w: metric %q: %w", ErrPlan, m.Name, err)
		}
		if m.Kind == SuccessRate {
			rates++
		}
	}
	if p.ExtraFailures > 0 && rates == 0 {
		return p, fmt.Errorf("%w: a budget of failures needs a metric of kind %s", ErrPlan, SuccessRate)
	}
	return p, nil
}

func (m *Metric) complete(share float64) error {
	weight := map[Kind]float64{SuccessRate: 0.3, EventRate: 0.3, Latency: 0.2, Gauge: 0.05}[m.Kind]
	if weight == 0 {
		return fmt.Errorf("unknown kind %q", m.Kind)
	}
	m.Weight, m.Tolerance = orElse(m.Weight, weight), orElse(m.Tolerance, 1)
	m.Usual, m.Dispersion = orElse(m.Usual, 0.01), orElse(m.Dispersion, 1)
	switch m.Kind {
	case SuccessRate:
		m.Harm = orElse(m.Harm, Decrease)
	case Latency:
		m.Harm = orElse(m.Harm, Increase)
	}
	blocks := m.Kind == Gauge || m.Block > 0
	switch {
	case !inside(m.Weight, 0, 1e9) || !inside(m.Usual, 0, 1):
		return fmt.Errorf("weight %g, usual share of failures %g", m.Weight, m.Usual)
	case !(m.Dispersion >= 1) || m.Dispersion > 1e6:
		return fmt.Errorf("dispersion %g must be at least 1", m.Dispersion)
	case m.Harm != Increase && m.Harm != Decrease, m.Kind == SuccessRate && m.Harm != Decrease, m.Kind == Latency && m.Harm != Increase:
		return fmt.Errorf("harm cannot be %q", m.Harm)
	case m.Kind == EventRate && share == 0:
		return fmt.Errorf("numbers of events can only be compared with a known share")
	case blocks && share != 0 && share != 0.5:
		return fmt.Errorf("blocks are compared by symmetry, which needs equal arms, not a share of %g", share)
	case m.Block < 0 || m.Block > 24*time.Hour || m.Block > 0 && m.Kind == Latency:
		return fmt.Errorf("block of %s", m.Block)
	case blocks && (m.Dispersion != 1 || m.Tolerance != 1):
		return fmt.Errorf("blocks have neither a dispersion nor a tolerance")
	}
	if err := m.checkTolerance(); err != nil {
		return err
	}
	return m.checkMargin()
}

func (m *Metric) checkTolerance() error {
	up := m.Kind == SuccessRate || m.Harm == Increase
	switch t := m.Tolerance; {
	case t == 1:
		return nil
	case m.Kind != SuccessRate && m.Kind != EventRate:
		return fmt.Errorf("a tolerance is for rates")
	case up && !inside(t, 1, 1000), !up && !inside(t, 0.001, 1):
		return fmt.Errorf("tolerance %g lies on the wrong side of 1", t)
	}
	return nil
}

func (m *Metric) checkMargin() error {
	d, r := m.Margin.Difference, m.Margin.Ratio
	up := m.Kind == SuccessRate || m.Harm == Increase
	switch {
	case d == 0 && r == 0:
		return nil
	case d != 0 && r != 0:
		return fmt.Errorf("margin is a difference or a ratio, not both")
	case m.Kind != Gauge && m.Block > 0:
		return fmt.Errorf("counts compared by blocks can be stopped early but never cleared: leave the margin out")
	case d != 0 && m.Kind == SuccessRate && inside(d, 0, 1), d != 0 && m.Kind == Gauge && inside(d, 0, 1e150):
		return nil
	case d != 0:
		return fmt.Errorf("difference %g does not fit %s", d, m.Kind)
	case m.Kind == Gauge, up && !inside(r, 1, 1000), !up && !inside(r, 0.001, 1):
		return fmt.Errorf("ratio %g does not fit %s with harm by %s", r, m.Kind, m.Harm)
	}
	return nil
}

// guarded reports whether the metric has to be cleared.
func (m *Metric) guarded() bool { return m.Margin != Margin{} }

func inside(x, lo, hi float64) bool { return x > lo && x < hi }

func orElse[T comparable](value, other T) T {
	var zero T
	if value == zero {
		return other
	}
	return value
}
