package analysis

import (
	"fmt"
	"math"
	"time"

	"mishap"
	"mishap/internal/slots"
)

// Plan is everything a comparison is decided by. It is fixed before the fault.
type Plan struct {
	// Alpha bounds the probability of a wrong "deviated", over the whole run and
	// all metrics together, and that of a wrong "held"; 0 is 0.01.
	Alpha float64 `json:"alpha"`
	// AtLeast is how long the fault is watched before anything is held; 0 is 60 s.
	AtLeast time.Duration `json:"atLeast"`
	// Horizon is how long after [Comparison.Begin] it ends without an answer; 0
	// is never.
	Horizon time.Duration `json:"horizon,omitempty"`
	// ExtraFailures is the harm budget: how many failed requests beyond what
	// control lets expect are spent before it stops; 0 is no budget.
	ExtraFailures float64 `json:"extraFailures,omitempty"`
	// Exposed says that rows are of the requests that met the fault, or in
	// control would have; rows of all requests then stop only.
	Exposed bool `json:"exposed,omitempty"`
	// Patient goes on to the horizon though no answer is to be expected.
	Patient bool `json:"patient,omitempty"`
	// Targets says that units are targets: none is new after the injection, so
	// that there are no first requests to bet on.
	Targets bool     `json:"targets,omitempty"`
	Metrics []Metric `json:"metrics"`
}

// Kind is what a metric compares.
type Kind string

// The kinds of metrics. Levels (gauges) have no units, and decide nothing.
const (
	SuccessRate Kind = "success-rate" // failed requests; harm is more of them
	EventRate   Kind = "event-rate"   // events per unit
	Latency     Kind = "latency"      // slow answers, by quantiles
	Gauge       Kind = "gauge"
)

// Direction is which way harm lies.
type Direction string

// The two ways. For SuccessRate it is always Decrease, for Latency Increase.
const (
	Increase Direction = "increase"
	Decrease Direction = "decrease"
)

// Margin is the harm that still counts as none. One of the two is set, or
// neither: then the metric can stop a run and need not be cleared.
type Margin struct {
	// Difference is of shares of failures: 0.005 is half a percentage point.
	Difference float64 `json:"difference,omitempty"`
	// Ratio is of failures, events or latencies: 1.2 is a fifth more, 0.95 a
	// twentieth less.
	Ratio float64 `json:"ratio,omitempty"`
}

// Metric is one thing that is compared.
type Metric struct {
	Name   string    `json:"name"`
	Kind   Kind      `json:"kind"`
	Harm   Direction `json:"harm,omitempty"` // of an EventRate
	Margin Margin    `json:"margin,omitzero"`
	// Quantiles are those of a latency that have to be cleared; none: 0.5, 0.9 and
	// 0.99. Beside them is always 0.999, which stops only unless it is named.
	Quantiles []float64 `json:"quantiles,omitempty"`
	// Book is which of several books counts it.
	Book string `json:"book,omitempty"`
	// Whole says of a plan with Exposed that this metric's book does not know what
	// met the fault: its rows are of all requests.
	Whole bool `json:"whole,omitempty"`
	// NoTrials says that the book tells no first requests of units.
	NoTrials bool `json:"noTrials,omitempty"`
}

// stopsOnly is the quantile that every latency has, and that need not be cleared
// unless it is named.
const stopsOnly = float64(mishap.ExtremeQuantile)

// RowName is [mishap.RowName].
func RowName(metric string, quantile float64) string {
	return mishap.RowName(metric, mishap.Quantile(quantile))
}

// QuantileName is p99 for 0.99.
func QuantileName(q float64) string { return mishap.Quantile(q).String() }

// AllSuffix is put behind the name of a row for the one beside it that is of all
// requests, where the row itself is of those that met the fault.
const AllSuffix = " all"

// row is one claim of the plan.
type row struct {
	claim
	metric Metric
	name   string // of the book's row
	change string // of the row by which it is seen whether arms changed
	q      float64
	met    bool // of the requests that met the fault
	all    bool // of all requests, beside one that is met
	clears bool
	guards bool // is compared with its own baseline: it clears, or is beside one that does
	limit  Threshold
	few    *few
	pace   pace
	flow   [2]flow
}

// complete fills in what is left out, and refuses what cannot be carried out.
func (p Plan) complete() (Plan, []*row, error) {
	if p.Alpha == 0 {
		p.Alpha = 0.01
	}
	if p.AtLeast == 0 {
		p.AtLeast = time.Minute
	}
	switch {
	case !inside(p.Alpha, 0, 0.5):
		return p, nil, fmt.Errorf("%w: alpha %g must be between 0 and 0.5", ErrPlan, p.Alpha)
	case p.Horizon < 0 || p.AtLeast < 0 || p.Horizon > 0 && p.AtLeast > p.Horizon:
		return p, nil, fmt.Errorf("%w: atLeast %s of a time of %s", ErrPlan, p.AtLeast, p.Horizon)
	case !(p.ExtraFailures >= 0) || math.IsInf(p.ExtraFailures, 1):
		return p, nil, fmt.Errorf("%w: budget %g", ErrPlan, p.ExtraFailures)
	case len(p.Metrics) > 50:
		return p, nil, fmt.Errorf("%w: %d metrics", ErrPlan, len(p.Metrics))
	}
	var rows []*row
	names := map[string]bool{}
	for i, m := range p.Metrics {
		if m.Name == "" || names[m.Name] {
			return p, nil, fmt.Errorf("%w: metric name %q is empty or used twice", ErrPlan, m.Name)
		}
		names[m.Name] = true
		if err := m.check(); err != nil {
			return p, nil, fmt.Errorf("%w: metric %q: %w", ErrPlan, m.Name, err)
		}
		if m.Kind == Latency && len(m.Quantiles) == 0 {
			for _, q := range mishap.DefaultQuantiles() {
				m.Quantiles = append(m.Quantiles, float64(q))
			}
			p.Metrics[i].Quantiles = m.Quantiles
		}
		for _, r := range m.rows() {
			r.met, r.guards = p.Exposed && !m.Whole, r.clears
			rows = append(rows, r)
			if r.met {
				all := *r
				all.name, all.change, all.met, all.all = r.name+AllSuffix, r.change+AllSuffix, false, true
				rows = append(rows, &all)
			}
		}
	}
	return p, rows, nil
}

func (m *Metric) check() error {
	d, r := m.Margin.Difference, m.Margin.Ratio
	down := m.Kind == EventRate && m.Harm == Decrease
	switch {
	case m.Kind != SuccessRate && m.Kind != EventRate && m.Kind != Latency:
		return fmt.Errorf("a %q cannot be decided", m.Kind)
	case d != 0 && r != 0:
		return fmt.Errorf("two margins")
	case d != 0 && (m.Kind != SuccessRate || !inside(d, 0, 1)):
		return fmt.Errorf("a margin of %g is none of a %s", d, m.Kind)
	case r != 0 && !down && !inside(r, 1, 100), r != 0 && down && !inside(r, 0.01, 1):
		return fmt.Errorf("a margin of %g times lies in the wrong direction, or too far", r)
	case m.Kind == EventRate && m.Harm != Increase && m.Harm != Decrease:
		return fmt.Errorf("no direction of harm")
	}
	for i, q := range m.Quantiles {
		if !(q >= 0.01 && q <= 0.99999) { // as files may name them
			return fmt.Errorf("quantile %g must be from 0.01 to 0.99999", q)
		}
		for _, other := range m.Quantiles[:i] {
			if other == q {
				return fmt.Errorf("quantile %g is named twice", q)
			}
		}
	}
	return nil
}

// rows are the claims of a metric.
func (m Metric) rows() []*row {
	guarded := m.Margin != Margin{}
	if m.Kind == Latency {
		var all []*row
		stops := false
		for _, q := range m.Quantiles {
			all = append(all, m.quantile(q, guarded))
			stops = stops || q == stopsOnly
		}
		if !stops {
			all = append(all, m.quantile(stopsOnly, false))
		}
		return all
	}
	r := &row{metric: m, name: m.Name, change: m.Name, clears: guarded}
	r.poisson, r.down = m.Kind == EventRate, m.Kind == EventRate && m.Harm == Decrease
	r.margin = m.Margin.Difference
	if r.ratio = m.Margin.Ratio != 0 || m.Kind == EventRate; r.ratio {
		r.margin, r.small = 0, math.Log(1.05)
		if m.Margin.Ratio != 0 {
			r.margin = math.Abs(math.Log(m.Margin.Ratio))
			r.small = r.margin
		}
	}
	return []*row{r}
}

func (m Metric) quantile(q float64, clears bool) *row {
	r := &row{metric: m, name: RowName(m.Name, q), q: q, clears: clears}
	r.change = r.name + slots.Changed
	r.quantile, r.small = true, 0.2*(1-q)
	return r
}
