package analysis

import (
	"math"

	"mishap/internal/slots"
)

// few is exact evidence for harm where units are few, without any assumption on
// time: at 0.5, 1, 2, 4 … s the arms are fair coins beside the units' sums as
// they are, and the looks share the evidence by the weights 1/(k(k+1)), which
// add up to 1. It is kept for harms on a grid.
type few struct {
	grid []float64
	logE []float64 // of the sum so far
	look int       // the next, from 1
}

// fewUnits is up to how many units of both arms are few.
const fewUnits = 128

func newFew(c *claim) *few {
	f := &few{grid: c.grid(), look: 1}
	for range f.grid {
		f.logE = append(f.logE, math.Inf(-1))
	}
	return f
}

// due is when the next look is, in seconds after the injection.
func (f *few) due() float64 { return 0.5 * math.Pow(2, float64(f.look-1)) }

// take looks, if it is time to. Several looks at once are each made of the same.
func (f *few) take(c *claim, control, experiment [][4]float64, after float64) {
	if after < f.due() {
		return
	}
	weight := 0.0
	for ; after >= f.due(); f.look++ {
		weight += 1 / float64(f.look*(f.look+1))
	}
	n := len(control) + len(experiment)
	if n == 0 || n > fewUnits || len(control) == 0 || len(experiment) == 0 {
		return
	}
	for i, t := range f.grid {
		e := c.signs(t, control, experiment) + math.Log(weight)
		f.logE[i] = logMean(f.logE[i], e) + math.Ln2
	}
}

// at is the log evidence that the harm is more than t: that of the next harm of
// the grid, which is no more.
func (f *few) at(t float64) float64 {
	for i, g := range f.grid {
		if g >= t-1e-15 {
			return f.logE[i]
		}
	}
	return math.Inf(-1)
}

// signs is the log evidence of one look: for each of some sizes θ of the harm
// exp(λT)/Π cosh(λ|r−θs|), λ = θA/V, averaged.
func (c *claim) signs(t float64, control, experiment [][4]float64) float64 {
	few := *c
	few.control, few.experiment = momentsOf(control), momentsOf(experiment)
	p, d := few.pair(t)
	s := p.at(d)
	if s.v <= 0 {
		return 0
	}
	size := max(c.margin, smallest) / 2
	if c.ratio || c.quantile {
		size = c.unit(s, c.small) / 2
	}
	if size <= 0 {
		return 0
	}
	var sizes []float64
	for ; size <= 4*max(1, s.rate); size *= 2 {
		sizes = append(sizes, size*s.a/s.v)
	}
	sign := 1.0
	if c.down {
		sign = -1
	}
	factor := 1.0
	if c.ratio {
		factor = c.factor(t)
	}
	logE := make([]float64, len(sizes))
	for i, l := range sizes {
		logE[i] = l * s.t * sign
	}
	left := func(u [4]float64, by, rate float64) float64 {
		return math.Abs(u[1]*by - rate*u[0] - s.theta*(u[3]-p.r0*u[2]))
	}
	for _, u := range control {
		subtractLogCosh(logE, sizes[0]*left(u, 1, s.rate))
	}
	for _, u := range experiment {
		subtractLogCosh(logE, sizes[0]*left(u, 1/factor, s.rate+d))
	}
	return logMean(logE...)
}

// subtractLogCosh takes log cosh of x, 2x, 4x … from each, by cosh 2x = 2cosh² − 1.
func subtractLogCosh(from []float64, x float64) {
	cosh := math.Cosh(min(x, 20))
	for i := range from {
		if x < 15 {
			from[i] -= math.Log(cosh)
			cosh = 2*cosh*cosh - 1
		} else {
			from[i] -= x - math.Ln2
		}
		x *= 2
	}
}

func momentsOf(units [][4]float64) (m slots.Moments) {
	for _, u := range units {
		m.Add(slots.Unit{N: u[0], Y: u[1], N0: u[2], Y0: u[3]})
	}
	return m
}
