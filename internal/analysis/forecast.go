package analysis

import (
	"fmt"
	"math"
	"time"
)

// Traffic is what both arms are expected to get, and what is usual there.
type Traffic struct {
	PerArm   float64   // requests (or events) per second
	Failures float64   // usual share of failures
	Latency  Histogram // usual latency, of any number of answers
	// Deff is how many times the variance of independent requests what units do
	// has; 0 is 1.
	Deff float64
}

// Forecast is how long a row takes to be within its margin if there is no harm.
type Forecast struct {
	Mean  time.Duration
	P90   time.Duration // nine of ten runs
	Never bool          // users differ too much, however long it takes
	// gain is information per second, and limit what is left at infinity, both in
	// units of what is needed.
	gain, limit float64
}

// longest is what forecasts of more are called.
const longest = 100 * 365 * 24 * time.Hour

// needed is the information at which a healthy run is cleared at the mean, times
// the margin squared: k²/(2(1+k)) = log(1/α) − log 2 + ½·log(1+k).
func needed(alpha float64) float64 {
	return last(0, 1e4, func(k float64) float64 {
		return -math.Log(alpha) - math.Ln2 + 0.5*math.Log1p(k) - k*k/(2*(1+k))
	})
}

// forecast is of rows whose difference has a variance of a/t + b after t
// seconds, and that are that far from the margin.
func forecast(a, b, distance, alpha float64) Forecast {
	k := needed(alpha) / (distance * distance)
	f := Forecast{gain: 1 / (a * k), limit: b * k}
	at := func(x float64) time.Duration { // when x times what is needed is there
		left := 1/x - f.limit
		if !(left > 0) || 1/(f.gain*left) > longest.Seconds() {
			return longest
		}
		return time.Duration(float64(time.Second) / (f.gain * left))
	}
	f.Mean, f.P90 = at(1), at(1.8)
	f.Never = f.limit >= 1
	return f
}

// Within is the probability of being cleared within d, if there is no harm: the
// time of a random walk with drift to a level is inverse Gaussian, here as wide
// as was measured.
func (f Forecast) Within(d time.Duration) float64 {
	if d <= 0 || !(f.gain > 0) {
		return 0
	}
	const shape = 2.8
	x := 1 / (1/(f.gain*d.Seconds()) + f.limit)
	root := math.Sqrt(shape / x)
	return min(max(normalCDF(root*(x-1))+math.Exp(2*shape)*normalCDF(-root*(x+1)), 0), 1)
}

// hopeFor is the least probability of an answer with which a fault is worth it.
const hopeFor = 0.1

// Hopeful reports whether it may well be cleared within d, if there is no harm.
func (f Forecast) Hopeful(d time.Duration) bool { return f.Within(d) >= hopeFor }

// spread is what the forecast of a row needs of it: the variance of a pair of
// requests, one of each arm, and how far the row is from its margin without harm.
func (r *row) spread(usual float64) (variance, distance float64) {
	p := usual
	switch {
	case r.q != 0:
		slow := max(p-r.small, 0)
		return p*(1-p) + slow*(1-slow), r.small
	case r.poisson: // relative to the events there are
		return 2, -math.Expm1(-r.margin)
	case r.ratio:
		e := p / r.factor(r.margin)
		return p*(1-p) + e*(1-e), p - e
	}
	return 2 * p * (1 - p), r.margin
}

// paces is the forecast's variance of a pair of requests with a design effect. It is
// taken at the margin, and never less than that of independent requests there:
// where the margin is more than usually fails, that is what decides.
func (r *row) paces(usual, deff float64) float64 {
	variance, _ := r.spread(usual)
	if r.q != 0 || r.ratio {
		return variance * deff
	}
	c := max(usual-r.margin/2, 0)
	e := c + r.margin
	return max(variance*deff, c*(1-c)+e*(1-e))
}

// BaselineNeeds is how many requests of both arms a baseline must have counted
// to bear the comparison of both arms with it: 20·p(1−p)/m² of independent ones.
func (r *row) baselineNeeds(usual, deff float64) float64 {
	variance, distance := r.spread(usual)
	if distance <= 0 {
		return math.Inf(1)
	}
	return 10 * variance / (distance * distance) * max(deff, 1)
}

// Foreseen is one row that has to be cleared, before any traffic was seen.
type Foreseen struct {
	Metric   string
	Quantile float64
	Clear    Forecast
	Baseline time.Duration // how long a baseline has to be
	// Needs is the requests per second and arm at which it is cleared at the mean
	// within the plan's horizon, or 0.
	Needs float64
}

// Foresee says how long the rows of a metric take with such traffic.
func (p Plan) Foresee(metric string, t Traffic) ([]Foreseen, error) {
	p.Metrics = append([]Metric(nil), p.Metrics...)
	p, rows, err := p.complete()
	if err != nil {
		return nil, fmt.Errorf("foresee: %w", err)
	}
	if !inside(t.PerArm, 0, 1e9) || t.Deff < 0 {
		return nil, fmt.Errorf("foresee: %w: %g requests per second", ErrShort, t.PerArm)
	}
	var all []Foreseen
	for _, r := range rows {
		if r.metric.Name != metric || !r.clears {
			continue
		}
		usual := t.Failures
		if r.q != 0 {
			usual = 1 - r.q
			limit, err := FixThreshold(t.Latency, r.q, r.metric.Margin.Ratio, 0)
			if err != nil {
				return nil, fmt.Errorf("foresee %s: %w", r.name, err)
			}
			r.small = max(limit.Between, r.small)
		}
		if r.metric.Kind == SuccessRate && !inside(usual, 0, 1) {
			return nil, fmt.Errorf("foresee %s: %w: usual share of failures %g", r.name, ErrShort, usual)
		}
		all = append(all, p.foresee(r, usual, t))
	}
	return all, nil
}

func (p Plan) foresee(r *row, usual float64, t Traffic) Foreseen {
	deff := max(t.Deff, 1)
	_, distance := r.spread(usual)
	f := Foreseen{Metric: r.metric.Name, Quantile: r.q, Clear: forecast(r.paces(usual, deff)/t.PerArm, 0, distance, p.Alpha)}
	if s := r.baselineNeeds(usual, deff) / (2 * t.PerArm); s < longest.Seconds() {
		f.Baseline = time.Duration(s * float64(time.Second))
	} else {
		f.Baseline = longest
	}
	if p.Horizon > 0 {
		f.Needs = t.PerArm * f.Clear.Mean.Seconds() / p.Horizon.Seconds()
	}
	return f
}
