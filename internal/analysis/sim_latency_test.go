package analysis

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// slowing compares lognormal latencies of median 60 ms with what became of
// them: all times shift, and share of them times factor.
type slowing struct {
	sigma, shift  float64
	share, factor float64
	margin        float64
	clear         bool
	baseline      int // seconds
	width         time.Duration
	looks         int
}

// latencyBounds are four bins per doubling, 1 ms to 30 s.
func latencyBounds() []float64 {
	var all []float64
	for b := 0.001; b < 30; b *= math.Pow(2, 0.25) {
		all = append(all, b)
	}
	return all
}

// below is the share of requests of an arm that take at most x seconds.
func (s slowing) below(x float64, harmed bool) float64 {
	law := func(x float64) float64 { return normalCDF(math.Log(x/0.06) / s.sigma) }
	if !harmed {
		return law(x)
	}
	x /= orElse(s.shift, 1)
	return (1-s.share)*law(x) + s.share*law(x/orElse(s.factor, 1))
}

func (s slowing) mass(bounds []float64, harmed bool) []float64 {
	var all []float64
	before := 0.0
	for _, b := range bounds {
		now := s.below(b, harmed)
		all, before = append(all, now-before), now
	}
	return append(all, 1-before)
}

func (s slowing) trial() trial {
	bounds := latencyBounds()
	s.width = orElse(s.width, time.Second)
	sound, harmed := newDice(s.mass(bounds, false)), newDice(s.mass(bounds, true))
	n, base := poissonDice(50*s.width.Seconds()), int64(50)
	m := Metric{Kind: Latency, Dispersion: 1, Margin: Margin{Ratio: s.margin}}
	fill := func(r *rand.Rand, counts []int64, d *dice, n int64) {
		clear(counts)
		for range n {
			counts[d.roll(r)]++
		}
	}
	fresh := func(r *rand.Rand) (evidence, func(int) *Bucket) {
		b := &Bucket{Width: s.width}
		b.Control.Latency = Histogram{slices.Clone(bounds), make([]int64, len(bounds)+1)}
		b.Experiment.Latency = Histogram{slices.Clone(bounds), make([]int64, len(bounds)+1)}
		l := newLatencies(m, 0)
		for range s.baseline / 2 { // both arms are watched, so half as long
			fill(r, b.Control.Latency.Counts, sound, base)
			fill(r, b.Experiment.Latency.Counts, sound, base)
			l.learn(b, true)
		}
		return l, func(int) *Bucket {
			fill(r, b.Control.Latency.Counts, sound, int64(n.roll(r)))
			fill(r, b.Experiment.Latency.Counts, harmed, int64(n.roll(r)))
			return b
		}
	}
	return trial{fresh: fresh, over: level01, clear: s.clear, looks: orElse(s.looks, 1800), width: s.width}
}

// bound is log(1/alpha) over twice the Jensen-Shannon divergence per second,
// of bins so fine that nothing is lost by them.
func (s slowing) bound() float64 {
	var fine []float64
	for b := 1e-5; b < 1000; b *= 1.002 {
		fine = append(fine, b)
	}
	f, g := s.mass(fine, false), s.mass(fine, true)
	kl := 0.0
	for i := range f {
		m := (f[i] + g[i]) / 2
		if f[i] > 1e-300 {
			kl += f[i] * math.Log(f[i]/m)
		}
		if g[i] > 1e-300 {
			kl += g[i] * math.Log(g[i]/m)
		}
	}
	return level01 / (50 * kl)
}
