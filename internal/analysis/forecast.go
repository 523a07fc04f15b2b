package analysis

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Rates is the traffic that a forecast assumes to go on as it is.
type Rates struct {
	// Control and Experiment are requests (or events) per second of each arm.
	Control    float64 `json:"control"`
	Experiment float64 `json:"experiment"`
	// Failures is control's usual share of failures.
	Failures float64 `json:"failures,omitempty"`
	// Latency is control's usual latency, of any number of requests.
	Latency Histogram `json:"latency,omitzero"`
	// Look is the width of the buckets; 0 is 1 s.
	Look time.Duration `json:"look,omitempty"`
}

// Forecast is how long a metric will take to be decided. The time is taken to
// be inverse Gaussian: that of a random walk with drift to a level (Wald 1947).
type Forecast struct {
	Mean time.Duration `json:"mean"`
	// P90 is when nine of ten runs are decided.
	P90 time.Duration `json:"p90"`
	// Shape is the inverse Gaussian's, in seconds.
	Shape float64 `json:"shape"`
}

// longest is what forecasts of more are called.
const longest = 100 * 365 * 24 * time.Hour

// ForecastClear says how long it takes to clear a metric of a plan if there is
// no harm. It assumes independent counts (but for the plan's dispersion) at
// constant rates, and is within a tenth of what is measured where the answer
// is ten looks or more. It leaves out the delay of the source.
func ForecastClear(p Plan, metric string, r Rates) (Forecast, error) {
	m, _, err := p.find(metric, r)
	if err != nil {
		return Forecast{}, fmt.Errorf("forecast clearing: %w", err)
	}
	if !m.guarded() {
		return Forecast{}, fmt.Errorf("forecast clearing: %w: %s has no margin", ErrPlan, metric)
	}
	q := r.Experiment / (r.Experiment + r.Control)
	var walks []walk
	switch m.Kind {
	case SuccessRate:
		walks = clearFailures(m, r, q)
	case EventRate:
		for _, b := range newEvents(m, p.Share, 0, nil).clear {
			walks = append(walks, walkOf(b, []float64{r.Experiment}, []float64{r.Control}))
		}
		weighWalks(walks, newEvents(m, p.Share, 0, nil).Clear.LogA)
	default:
		walks = clearLatency(m, r, q)
	}
	level := math.Log(1 / p.orDefault().Beta)
	if m.Kind == SuccessRate {
		level += learning
	}
	return forecast(walks, level, m.Dispersion, r), nil
}

// learning is the evidence that is spent on learning the share of failures.
const learning = 0.3

// ForecastAbort says how long it takes to abort for harm of a given size from
// the beginning: the ratio of failures, events or latencies (2 is twice as
// many; 0.9 a tenth fewer). It assumes what [ForecastClear] does.
func ForecastAbort(p Plan, metric string, r Rates, harm float64) (Forecast, error) {
	m, weight, err := p.find(metric, r)
	if err != nil {
		return Forecast{}, fmt.Errorf("forecast aborting: %w", err)
	}
	if !inside(harm, 0, 1e6) || m.Kind == SuccessRate && harm*r.Failures >= 1 {
		return Forecast{}, fmt.Errorf("forecast aborting: %w: harm of %g times", ErrPlan, harm)
	}
	q := r.Experiment / (r.Experiment + r.Control)
	var walks []walk
	switch m.Kind {
	case SuccessRate:
		f := newFailures(m, p.Share, 0)
		f.wager(q)
		for _, b := range f.bets {
			walks = append(walks, walkOf(b, parted(r.Experiment, harm*r.Failures), parted(r.Control, r.Failures)))
		}
	case EventRate:
		for _, b := range newEvents(m, p.Share, 0, nil).bets {
			walks = append(walks, walkOf(b, []float64{r.Experiment * harm}, []float64{r.Control}))
		}
	default:
		walks = abortLatency(m, r, q, harm)
	}
	logW := uniform(sizes)
	if m.Kind == Latency {
		logW = newLatencies(m, 0).stake.logW
	}
	weighWalks(walks, logW)
	for k := range walks {
		walks[k].logW += math.Log(begunAtOnce)
	}
	return forecast(walks, math.Log(1/p.orDefault().Alpha)-math.Log(weight), m.Dispersion, r), nil
}

// Within is the probability of a decision within d.
func (f Forecast) Within(d time.Duration) float64 {
	t, mean := d.Seconds(), f.Mean.Seconds()
	if t <= 0 || mean <= 0 || f.Mean >= longest {
		return 0
	}
	root := math.Sqrt(f.Shape / t)
	second := math.Exp(min(2*f.Shape/mean, 700)) * normalCDF(-root*(t/mean+1))
	return min(max(normalCDF(root*(t/mean-1))+second, 0), 1)
}

func (p Plan) orDefault() Plan {
	p.Alpha, p.Beta = orElse(p.Alpha, 0.01), orElse(p.Beta, 0.01)
	return p
}

// find is the metric by its name, completed, with its part of alpha.
func (p Plan) find(metric string, r Rates) (Metric, float64, error) {
	c, err := New(p)
	if err != nil {
		return Metric{}, 0, err
	}
	if !inside(r.Control, 0, 1e9) || !inside(r.Experiment, 0, 1e9) || r.Look < 0 {
		return Metric{}, 0, fmt.Errorf("%w: %g and %g requests per second", ErrShort, r.Control, r.Experiment)
	}
	for i, s := range c.streams {
		m := s.metric
		switch {
		case m.Name != metric:
			continue
		case s.Symmetric != nil:
			return m, 0, fmt.Errorf("%w: there is no forecast for metrics compared by blocks", ErrPlan)
		case m.Kind == SuccessRate && !inside(r.Failures, 0, 1):
			return m, 0, fmt.Errorf("%w: usual share of failures %g", ErrShort, r.Failures)
		case m.Kind == Latency && (r.Latency.IsZero() || r.Latency.check() != nil || sum(floats(r.Latency.Counts)) == 0):
			return m, 0, fmt.Errorf("%w: no usual latency", ErrShort)
		}
		m.Usual = orElse(r.Failures, m.Usual)
		return m, c.weights[i], nil
	}
	return Metric{}, 0, fmt.Errorf("%w: no metric %q", ErrPlan, metric)
}

func parted(rate, share float64) []float64 { return []float64{rate * (1 - share), rate * share} }

func clearFailures(m Metric, r Rates, q float64) []walk {
	e, c := parted(r.Experiment, r.Failures), parted(r.Control, r.Failures)
	b := newBet(2)
	if d0 := m.Margin.Difference; d0 != 0 {
		b.setDifference(r.Experiment, r.Control, r.Failures, r.Failures, d0)
		return []walk{walkOf(b, e, c)}
	}
	var walks []walk
	ratios, weights := noHarm(m.Margin.Ratio)
	for k, ratio := range ratios {
		b.setMargin(1, ratio, m.Margin.Ratio, q)
		w := walkOf(b, e, c)
		w.logW = math.Log(weights[k])
		walks = append(walks, w)
	}
	return walks
}

func clearLatency(m Metric, r Rates, q float64) []walk {
	l, mass := usualLatencies(m, r)
	moved := make([]float64, len(mass))
	for i, n := range mass {
		moved[l.shifted[i]] += n
	}
	walks := l.walks(scaled(moved, r.Control), scaled(mass, r.Experiment), 1-q)
	weighWalks(walks, l.stake.logW)
	return walks
}

func abortLatency(m Metric, r Rates, q, harm float64) []walk {
	l, mass := usualLatencies(m, r)
	return l.walks(scaled(stretch(mass, r.Latency.Bounds, harm), r.Experiment), scaled(mass, r.Control), q)
}

func usualLatencies(m Metric, r Rates) (*latencies, []float64) {
	l := newLatencies(m, 0)
	l.learn(&Bucket{Control: Arm{Latency: r.Latency}}, true)
	l.refresh()
	return l, shape(l.Learned)
}

func (l *latencies) walks(slow, quick []float64, q float64) []walk {
	var all []walk
	for k := range l.r {
		b := newBet(len(slow))
		for i := range slow {
			b.setRatio(i, l.logR[k][i], l.r[k][i], q)
		}
		all = append(all, walkOf(b, slow, quick))
	}
	return all
}

func scaled(mass []float64, by float64) []float64 {
	all := slices.Clone(mass)
	for i := range all {
		all[i] *= by
	}
	return all
}
