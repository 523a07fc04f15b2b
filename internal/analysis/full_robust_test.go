package analysis

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// clumped makes the failures of one arm come in clumps; share is how large a
// part of the requests fail on average.
type clumped struct {
	name string
	// phi is the dispersion it truly has; 0 is not known in closed form.
	phi  float64
	make func(r *rand.Rand, share float64) func() int64
}

func geometricDraw(r *rand.Rand, mean float64) int64 {
	return 1 + int64(math.Log(1-r.Float64())/math.Log1p(-1/mean))
}

func clumps() []clumped {
	return []clumped{
		{"independent", 1, func(r *rand.Rand, share float64) func() int64 {
			d := poissonDice(50 * share)
			return func() int64 { return int64(d.roll(r)) }
		}},
		{"each failure and 3 retries", 4, func(r *rand.Rand, share float64) func() int64 {
			d := poissonDice(50 * share / 4)
			return func() int64 { return 4 * int64(d.roll(r)) }
		}},
		{"clusters of 5 on average", 9, func(r *rand.Rand, share float64) func() int64 {
			d := poissonDice(50 * share / 5)
			return func() (n int64) {
				for range d.roll(r) {
					n += geometricDraw(r, 5)
				}
				return n
			}
		}},
		{"failing sessions of 10 s", 19, func(r *rand.Rand, share float64) func() int64 {
			d, live := poissonDice(50*share/10), int64(0)
			return func() int64 { // one failure a second, until the session ends
				live += int64(d.roll(r))
				n := live
				live -= binomialDraw(r, live, 0.1)
				return n
			}
		}},
		{"hiccups of 2 s at 20 %", 0, func(r *rand.Rand, share float64) func() int64 {
			d, bad, left := poissonDice(50*share), poissonDice(10), 0
			return func() int64 {
				if left == 0 && r.Float64() < 1./300 {
					left = 2
				}
				if left > 0 {
					left--
					return int64(bad.roll(r))
				}
				return int64(d.roll(r))
			}
		}},
	}
}

func clumpedArm(r *rand.Rand, n *dice, failures func() int64) Arm {
	requests, failed := int64(n.roll(r)), failures()
	requests = max(requests, failed)
	return Arm{Requests: requests, Successes: requests - failed}
}

// robust is a trial of clumped failures: an hour of A/A data, then half an hour
// with harm times as many. block, if set, compares blocks by symmetry instead.
func (c clumped) robust(harm float64, block time.Duration, phis *[]float64) trial {
	n := poissonDice(50)
	fresh := func(r *rand.Rand) (evidence, func(int) *Bucket) {
		control, sound, harmed := c.make(r, 0.005), c.make(r, 0.005), c.make(r, 0.005*harm)
		window := make([]Bucket, 3600)
		for i := range window {
			window[i] = bucketAt(i, time.Second, clumpedArm(r, n, control), clumpedArm(r, n, sound))
		}
		b := &Bucket{}
		next := func(int) *Bucket {
			b.Control = clumpedArm(r, n, control)
			if b.Experiment = clumpedArm(r, n, sound); harm != 1 {
				b.Experiment = clumpedArm(r, n, harmed)
			}
			return b
		}
		if block > 0 {
			s := newSymmetric(Metric{Kind: SuccessRate, Harm: Increase, Block: block})
			for i := range window[:60] {
				s.learn(&window[i], true)
			}
			return s, next
		}
		phi, err := Dispersion(window, 0.5, func(a Arm) int64 { return a.Requests - a.Successes })
		if err != nil {
			panic(err)
		}
		if phis != nil {
			*phis = append(*phis, phi)
		}
		return newFailures(Metric{Usual: 0.005, Tolerance: 1, Dispersion: phi}, 0, 0), next
	}
	return trial{fresh: fresh, over: level01, looks: 1800, width: time.Second}
}

func TestFullB4Clumps(t *testing.T) {
	full(t)
	const runs = 2000
	head(fmt.Sprintf("B4: failures in clumps, dispersion from an hour of A/A, %d runs of 30 min", runs))
	iid := 0.0
	for _, c := range clumps() {
		var phis []float64
		x := c.robust(1, 0, &phis)
		for run := range 60 {
			x.fresh(seeded(uint64(run)))
		}
		phi := mean(phis)
		times, _ := c.robust(1, 0, nil).ended(runs, 14)
		s := share(times)
		row(t, c.name+": false aborts", fmt.Sprintf("%.4f (dispersion %.3g, truly %.3g)", s, phi, c.phi), s, 0.01, 0)
		times, _ = c.robust(10, 0, nil).ended(runs/4, 15)
		m := mean(times)
		if c.phi == 1 {
			iid = m
			row(t, c.name+": time to find 5 %", fmt.Sprintf("%.3g s", m), m, 1.4*6.5, 0)
			continue
		}
		truth := orElse(c.phi, phi/1.3)
		row(t, c.name+": time to find 5 %", fmt.Sprintf("%.3g s", m), m, 1.4*truth*iid, 0)
	}
	for _, c := range clumps() {
		block := map[bool]time.Duration{true: 40 * time.Second, false: 10 * time.Second}[c.phi == 19]
		times, _ := c.robust(1, block, nil).ended(runs, 16)
		s := share(times)
		row(t, fmt.Sprintf("%s: false aborts by blocks of %s", c.name, block), fmt.Sprintf("%.4f", s), s, 0.013, 0)
	}
}

func TestFullB7Cost(t *testing.T) {
	full(t)
	head("B7: cost of one bucket of one metric, microseconds")
	r := seeded(17)
	arm := newArm(50, 0.005)
	buckets := make([]Bucket, 1000)
	for i := range buckets {
		buckets[i] = bucketAt(i, time.Second, arm.roll(r), arm.roll(r))
		buckets[i].Control.Events, buckets[i].Experiment.Events = 50, 50
	}
	cost := func(what string, most float64, e evidence, all []Bucket) {
		best := math.Inf(1)
		for range 3 {
			res := testing.Benchmark(func(b *testing.B) {
				for i := range b.N {
					e.observe(&all[i%len(all)])
				}
			})
			best = min(best, float64(res.NsPerOp())/1000)
		}
		row(t, what, fmt.Sprintf("%.2f", best), best, most, 0)
	}
	margin := Metric{Kind: EventRate, Harm: Decrease, Tolerance: 1, Dispersion: 1, Usual: 0.01}
	cost("failures, 8 sizes of harm", 2, newFailures(margin, 0, 0), buckets)
	margin.Margin = Margin{Difference: 0.005}
	cost("…and a margin as a difference", 4, newFailures(margin, 0, 0), buckets)
	margin.Margin = Margin{Ratio: 0.9}
	cost("events, 8 sizes of harm, and a margin", 2, newEvents(margin, 0.5, 0, func(a Arm) int64 { return a.Events }), buckets)
	cost("…boosted, 100 events", 100, newEvents(margin, 0.5, level01, func(a Arm) int64 { return a.Events }), buckets)
	bounds := latencyBounds()
	for i := range buckets {
		h := Histogram{bounds, make([]int64, len(bounds)+1)}
		for b := range h.Counts {
			h.Counts[b] = int64(r.IntN(5))
		}
		buckets[i].Control.Latency, buckets[i].Experiment.Latency = h, h
	}
	cost(fmt.Sprintf("latency, %d bins, 14 curves", len(bounds)+1), 50, newLatencies(Metric{Kind: Latency, Dispersion: 1}, 0), buckets)
	cost("…and a margin", 100, newLatencies(Metric{Kind: Latency, Dispersion: 1, Margin: Margin{Ratio: 1.5}}, 0), buckets)
}
