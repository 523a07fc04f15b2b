package analysis

import (
	"math"

	"mishap/internal/slots"
)

// uneven is beyond how many standard deviations arms differ in their requests.
const uneven = 3.5

// diluted reports whether the experiment has more requests than control, by more
// than chance makes of units, and would be beyond the margin if what was bad were
// divided by as many as control has: a fault that makes users ask again, and
// those requests succeed, would hide what it breaks. Times is how many more.
func (c *claim) diluted() (times float64, ok bool) {
	e, ctl := c.experiment, c.control
	if c.poisson || ctl.N <= 0 || surplus(e, ctl) < uneven {
		return 0, false
	}
	if c.ratio {
		return e.N / ctl.N, e.Y > ctl.Y*c.factor(c.margin)
	}
	return e.N / ctl.N, (e.Y-ctl.Y)/ctl.N > c.margin
}

// surplus is by how many standard deviations of units the experiment has more
// requests than control, adjusted by how many each unit had in the baseline.
func surplus(e, ctl slots.Moments) float64 {
	both, usual := e.Plus(ctl), 0.0
	if both.N0N0 > 0 {
		usual = both.NN0 / both.N0N0
	}
	v := both.NN - usual*both.NN0
	if v <= 0 {
		return 0
	}
	return (e.N - ctl.N - usual*(e.N0-ctl.N0)) / math.Sqrt(v)
}
