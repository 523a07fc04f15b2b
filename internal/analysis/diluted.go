package analysis

import "math"

// uneven is beyond how many standard deviations arms differ in their requests.
const uneven = 3.5

// diluted reports whether the experiment has more requests than control, by more
// than chance makes of units, and would be beyond the margin if what was bad were
// divided by as many as control has: a fault that makes users ask again, and
// those requests succeed, would hide what it breaks. Times is how many more.
func (c *claim) diluted() (times float64, ok bool) {
	e, ctl := c.experiment, c.control
	if c.poisson || ctl.N <= 0 || e.N-ctl.N < uneven*math.Sqrt(e.NN+ctl.NN) {
		return 0, false
	}
	if c.ratio {
		return e.N / ctl.N, e.Y > ctl.Y*c.factor(c.margin)
	}
	return e.N / ctl.N, (e.Y-ctl.Y)/ctl.N > c.margin
}
