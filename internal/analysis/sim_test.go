package analysis

import (
	"math"
	"math/rand/v2"
	"sort"
	"sync"
	"time"
)

// dice draws from a law over 0, 1, 2… by its cumulative probabilities.
type dice struct {
	cum   []float64
	guide [256]int
}

func newDice(p []float64) *dice {
	d := &dice{cum: make([]float64, len(p))}
	total, at := 0.0, 0
	for i, x := range p {
		total += x
		d.cum[i] = total
	}
	for i := range d.guide {
		for at < len(p)-1 && d.cum[at] < total*float64(i)/256 {
			at++
		}
		d.guide[i] = at
	}
	return d
}

func (d *dice) roll(r *rand.Rand) int {
	u := r.Float64()
	k := d.guide[int(u*256)]
	for u *= d.cum[len(d.cum)-1]; k < len(d.cum)-1 && d.cum[k] < u; {
		k++
	}
	return k
}

func poissonDice(mean float64) *dice {
	var p []float64
	for k := 0.0; k < mean+12*math.Sqrt(mean)+30; k++ {
		p = append(p, math.Exp(k*math.Log(mean)-mean-logGamma(k+1)))
	}
	return newDice(p)
}

// armDice draws arms of Poisson requests of which a share fails.
type armDice struct{ failed, passed *dice }

func newArm(mean, share float64) armDice {
	return armDice{poissonDice(mean * share), poissonDice(mean * (1 - share))}
}

func (a armDice) roll(r *rand.Rand) Arm {
	f, s := int64(a.failed.roll(r)), int64(a.passed.roll(r))
	return Arm{Requests: f + s, Successes: s}
}

// trial is one simulated run: it makes what it needs and returns the evidence,
// a source of buckets, and how to tell that it is over.
type trial struct {
	fresh func(r *rand.Rand) (evidence, func(i int) *Bucket)
	// over is the log evidence at which it ends: of harm, or of none.
	over  float64
	clear bool
	looks int
	width time.Duration
}

// ended is how long each of n runs took; +Inf is not at all. extra are the
// failures of the experiment until then.
func (x trial) ended(n int, seed uint64) (times, failed []float64) {
	times, failed = make([]float64, n), make([]float64, n)
	var all sync.WaitGroup
	for part := range 2 {
		all.Go(func() {
			for run := part; run < n; run += 2 {
				times[run], failed[run] = x.run(seeded(seed*1_000_003 + uint64(run)))
			}
		})
	}
	all.Wait()
	return times, failed
}

func (x trial) run(r *rand.Rand) (seconds, failed float64) {
	e, next := x.fresh(r)
	h, stake := e.harm()
	for i := range x.looks {
		b := next(i)
		b.Width = x.width
		e.observe(b)
		failed += float64(b.Experiment.Requests - b.Experiment.Successes)
		level := e.clearLogE
		if !x.clear {
			level = func() float64 { return h.logE(stake) }
		}
		if level() >= x.over-1e-12 {
			return float64(i+1) * x.width.Seconds(), failed
		}
	}
	return math.Inf(1), failed
}

// share of the runs that ended at all.
func share(times []float64) float64 {
	n := 0.0
	for _, t := range times {
		if !math.IsInf(t, 1) {
			n++
		}
	}
	return n / float64(len(times))
}

func mean(xs []float64) float64 { return sum(xs) / float64(len(xs)) }

func quantile(xs []float64, p float64) float64 {
	all := append([]float64(nil), xs...)
	sort.Float64s(all)
	return all[int(p*float64(len(all)-1))]
}

var level01 = math.Log(100)

// failing compares an arm with share p with one that has harm times as many
// failures from a second on.
type failing struct {
	p, harm  float64
	onset    int // looks
	rate     float64
	drawn    bool // each request by chance
	boost    bool
	margin   Margin
	usual    float64
	clear    bool
	width    time.Duration
	looks    int
	tempered float64
}

func (f failing) trial() trial {
	f.width, f.rate = orElse(f.width, time.Second), orElse(f.rate, 50)
	each := f.rate * f.width.Seconds()
	control, harmed := newArm(each, f.p), newArm(each, f.p*f.harm)
	if f.margin.Difference > 0 && f.harm == 0 { // exactly at the margin
		harmed = newArm(each, f.p+f.margin.Difference)
	}
	m := Metric{Usual: orElse(f.usual, 0.01), Tolerance: 1, Dispersion: orElse(f.tempered, 1), Margin: f.margin}
	q, threshold := 0.0, 0.0
	if f.drawn {
		q = 0.5
	}
	if f.boost {
		threshold = level01
	}
	fresh := func(r *rand.Rand) (evidence, func(int) *Bucket) {
		b := &Bucket{}
		return newFailures(m, q, threshold), func(i int) *Bucket {
			b.Control, b.Experiment = control.roll(r), control.roll(r)
			if i >= f.onset {
				b.Experiment = harmed.roll(r)
			}
			return b
		}
	}
	return trial{fresh: fresh, over: level01, clear: f.clear, looks: orElse(f.looks, 1800), width: f.width}
}

// bound of the detection of f, in seconds.
func (f failing) bound() float64 {
	return boundPairs(f.p, f.p*f.harm, 0.01) / orElse(f.rate, 50)
}

// counting compares event rates.
type counting struct {
	ratio     float64
	direction Direction
	q         float64
	season    bool
	onset     int
	boost     bool
	margin    float64
	clear     bool
	width     time.Duration
	looks     int
}

func (c counting) trial() trial {
	c.width, c.q, c.direction = orElse(c.width, time.Second), orElse(c.q, 0.5), orElse(c.direction, Decrease)
	e, ctl := 100*c.q*c.width.Seconds(), 100*(1-c.q)*c.width.Seconds()
	diceE, diceC, harmed := poissonDice(e), poissonDice(ctl), poissonDice(e*c.ratio)
	m := Metric{Kind: EventRate, Harm: c.direction, Tolerance: 1, Dispersion: 1, Margin: Margin{Ratio: c.margin}}
	threshold := 0.0
	if c.boost {
		threshold = level01
	}
	fresh := func(r *rand.Rand) (evidence, func(int) *Bucket) {
		b := &Bucket{}
		return newEvents(m, c.q, threshold, func(a Arm) int64 { return a.Events }), func(i int) *Bucket {
			switch {
			case c.season:
				wave := 1 + 0.6*math.Sin(2*math.Pi*float64(i)/600)
				b.Experiment.Events, b.Control.Events = poisson(r, e*wave), poisson(r, ctl*wave)
			case i >= c.onset:
				b.Experiment.Events, b.Control.Events = int64(harmed.roll(r)), int64(diceC.roll(r))
			default:
				b.Experiment.Events, b.Control.Events = int64(diceE.roll(r)), int64(diceC.roll(r))
			}
			return b
		}
	}
	return trial{fresh: fresh, over: level01, clear: c.clear, looks: orElse(c.looks, 1800), width: c.width}
}

func (c counting) bound() float64 { return boundSeconds(50, 50*c.ratio, 0.01) }
