package analysis

import (
	"fmt"
	"math"
	"slices"
)

// latencies is the evidence of a [Latency] metric: F1 on the bins of the
// histogram, with R from curves by which control's own past would have become
// worse. It assumes independent requests given the past, and nothing about the
// shape of the latencies or how it moves, as long as it moves in both arms.
// Source: derived, docs/analysis.md; Arnold et al. (stochastic dominance).
type latencies struct {
	Harm   harm      `json:"harm"`
	Clear  average   `json:"clear"`
	Bounds []float64 `json:"bounds,omitempty"`
	// Learned are control's requests by bin, baseline of both arms included;
	// Used is what they were when the curves were last drawn.
	Learned []float64 `json:"learned,omitempty"`
	Used    []float64 `json:"used,omitempty"`

	metric  Metric
	share   float64
	stake   stake
	r, logR [][]float64
	shifted []int // the bin that a bin of control lies in after the margin
	logE    []float64
}

func newLatencies(m Metric, share float64) *latencies {
	l := &latencies{metric: m, share: share, logE: make([]float64, len(rocs()))}
	weights := make([]float64, 0, len(rocs()))
	for _, g := range rocs() {
		weights = append(weights, g.weight)
	}
	l.Clear = newAverage(weights...)
	l.stake = stake{logW: slices.Clone(l.Clear.LogA), dispersion: m.Dispersion}
	l.Harm = newHarm(l.stake)
	return l
}

func (l *latencies) check(b *Bucket) error {
	c, e := b.Control.Latency, b.Experiment.Latency
	switch {
	case c.IsZero() || e.IsZero():
		return fmt.Errorf("%w: an arm has no latency histogram", ErrBucket)
	case !slices.Equal(c.Bounds, e.Bounds):
		return fmt.Errorf("%w: between the arms", ErrScheme)
	case l.Bounds != nil && !slices.Equal(c.Bounds, l.Bounds):
		return fmt.Errorf("%w: %d bounds after %d", ErrScheme, len(c.Bounds), len(l.Bounds))
	}
	return nil
}

func (l *latencies) learn(b *Bucket, baseline bool) {
	l.adopt(b.Control.Latency.Bounds)
	for i, n := range b.Control.Latency.Counts {
		l.Learned[i] += float64(n)
	}
	if baseline {
		for i, n := range b.Experiment.Latency.Counts {
			l.Learned[i] += float64(n)
		}
	}
}

func (l *latencies) adopt(bounds []float64) {
	if l.Bounds == nil {
		l.Bounds, l.Learned = slices.Clone(bounds), make([]float64, len(bounds)+1)
	}
}

func (l *latencies) observe(b *Bucket) {
	l.adopt(b.Control.Latency.Bounds)
	l.refresh()
	hE, hC := floats(b.Experiment.Latency.Counts), floats(b.Control.Latency.Counts)
	nE, nC := sum(hE), sum(hC)
	q := seenShare(l.share, nE, nC)
	clear(l.logE)
	l.bet(l.logE, hE, hC, q)
	l.Harm.observe(l.stake, b.Width.Seconds(), l.logE, nil)
	if l.metric.guarded() && l.clearable() && nE > 0 && nC > 0 {
		moved := make([]float64, len(hC))
		for i, n := range hC {
			moved[l.shifted[i]] += n
		}
		clear(l.logE)
		l.bet(l.logE, moved, hE, 1-q) // control, slowed by the margin, against the experiment
		for k, e := range l.logE {
			l.Clear.add(k, e/l.metric.Dispersion)
		}
	}
	l.learn(b, false)
}

// bet adds the evidence of slow against quick, by curve.
func (l *latencies) bet(logE, slow, quick []float64, q float64) {
	for i := range slow {
		if slow[i]+quick[i] == 0 {
			continue
		}
		for k := range logE {
			logE[k] += slow[i]*l.logR[k][i] - (slow[i]+quick[i])*math.Log1p((l.r[k][i]-1)*q)
		}
	}
}

// refresh draws the curves anew each time a quarter more is known: from the
// past alone, and so as often as one likes.
func (l *latencies) refresh() {
	if l.Used == nil || sum(l.Learned) >= 1.25*sum(l.Used)+1 {
		l.Used, l.r = slices.Clone(l.Learned), nil
	}
	if l.r != nil {
		return
	}
	mass := shape(l.Used)
	l.logR = nil
	for _, g := range rocs() {
		r := g.ratios(mass)
		logR := make([]float64, len(r))
		for b := range r {
			logR[b] = math.Log(r[b])
		}
		l.r, l.logR = append(l.r, r), append(l.logR, logR)
	}
	l.shifted = shiftBins(l.Bounds, orElse(l.metric.Margin.Ratio, 1))
}

// shiftBins says, of each bin, in which one its quickest requests would lie if
// they took ratio times as long: never more than the margin, whatever the
// bounds are.
func shiftBins(bounds []float64, ratio float64) []int {
	to := make([]int, len(bounds)+1)
	for i := 1; i < len(to); i++ {
		low := bounds[i-1] * ratio * (1 + 1e-9)
		to[i] = max(i, len(bounds))
		for j := i; j < len(bounds); j++ {
			if low < bounds[j] {
				to[i] = j
				break
			}
		}
	}
	return to
}

// clearable reports whether the margin is wide enough to be seen: whether some
// bin that is not the last moves.
func (l *latencies) clearable() bool {
	for i, to := range l.shifted {
		if to > i {
			return true
		}
	}
	return false
}

func (l *latencies) harm() (*harm, stake) { return &l.Harm, l.stake }

func (l *latencies) clearLogE() float64 { return l.Clear.logE() }

func floats(counts []int64) []float64 {
	all := make([]float64, len(counts))
	for i, n := range counts {
		all[i] = float64(n)
	}
	return all
}

func sum(xs []float64) float64 {
	total := 0.0
	for _, x := range xs {
		total += x
	}
	return total
}
