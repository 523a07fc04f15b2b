package analysis

import "math"

// events is the evidence of an [EventRate]: F1 with the one category "event"
// and a known split, so that given the number of both arms together, each is
// the experiment's by chance q. It assumes independent events (a unit counted
// once); any rate over time, common to both arms, may hide beneath it.
// Source: Lindon and Malek 2022 (arXiv 2011.03567) for the conditioning; the
// grid of ratios in place of a Beta prior, docs/analysis.md.
type events struct {
	Harm  harm    `json:"harm"`
	Clear average `json:"clear"`

	metric Metric
	share  float64
	stake  stake
	bets   []bet
	logE   []float64
	clear  []bet
	count  func(Arm) int64
}

func newEvents(m Metric, share, threshold float64, count func(Arm) int64) *events {
	v := &events{metric: m, share: share, logE: make([]float64, sizes), count: count, Clear: newAverage(1)}
	v.stake = stake{logW: uniform(sizes), dispersion: m.Dispersion, threshold: threshold}
	logR := logRatiosUp()
	if m.Harm == Decrease {
		logR = logRatiosDown()
	}
	for _, l := range logR {
		b := newBet(1)
		b.setMargin(0, math.Exp(l)*m.Tolerance, m.Tolerance, share)
		v.bets = append(v.bets, b)
	}
	if m.guarded() {
		ratios, weights := noHarm(m.Margin.Ratio)
		v.Clear = newAverage(weights...)
		for _, r := range ratios {
			b := newBet(1)
			b.setMargin(0, r, m.Margin.Ratio, share)
			v.clear = append(v.clear, b)
		}
	}
	v.Harm = newHarm(v.stake)
	return v
}

func (v *events) check(*Bucket) error { return nil }

func (v *events) learn(*Bucket, bool) {}

func (v *events) observe(b *Bucket) {
	x, y := float64(v.count(b.Experiment)), float64(v.count(b.Control))
	for k, bet := range v.bets {
		v.logE[k] = bet.logE([]float64{x}, []float64{y})
	}
	v.Harm.observe(v.stake, b.Width.Seconds(), v.logE, func(before float64) []outcome { return v.outcomes(x+y, before) })
	for k, bet := range v.clear {
		v.Clear.add(k, bet.logE([]float64{x}, []float64{y})/v.metric.Dispersion)
	}
}

// outcomes are how else m events could have fallen to the arms.
func (v *events) outcomes(m, before float64) []outcome {
	if m == 0 || m > mostOutcomes {
		return nil
	}
	logE := make([]float64, sizes)
	all := make([]outcome, 0, int(m)+1)
	q := tilt(v.share, v.metric.Tolerance)
	for x := 0.0; x <= m; x++ {
		for k, bet := range v.bets {
			logE[k] = x*bet.e[0] + (m-x)*bet.c[0]
		}
		all = append(all, outcome{binomial(x, m, q), v.Harm.Mixture.logEWith(logE) - before})
	}
	return all
}

func (v *events) harm() (*harm, stake) { return &v.Harm, v.stake }
func (v *events) clearLogE() float64   { return v.Clear.logE() }
