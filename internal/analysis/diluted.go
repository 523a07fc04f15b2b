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

// ofEach reports whether the harm is beyond the margin if each unit counts by how
// active it was in the baseline, instead of by its requests since: those who leave
// after a failure, or wait for each answer, ask less, and what does not go wrong
// any more would hide what did. Both are the arms' means of units' own shares.
func (c *claim) ofEach() (experiment, control float64, beyond bool) {
	p, d := c.pair(c.margin)
	if c.poisson || p.e.N <= 0 || p.c.N <= 0 {
		return 0, 0, false
	}
	usual := 0.0 // of what is more in the experiment, by what the units were before
	if p.e.N0 > 0 && p.c.N0 > 0 {
		s := p.at(d)
		usual = s.theta * (p.e.N0 + p.c.N0) / p.n * (p.e.Y0/p.e.N0 - p.c.Y0/p.c.N0)
	}
	experiment, control = p.e.Each/(p.e.N0+p.e.Units), p.c.Each/(p.c.N0+p.c.Units)
	return c.experiment.Each / (p.e.N0 + p.e.Units), control, experiment-control-usual > d
}

// untold reports whether the experiment has fewer requests than control, by more
// than chance makes of units, and would be beyond the margin if what is missing
// were bad. Who counts requests when they are over counts none that hangs. Times
// is how many there are.
func (c *claim) untold() (times float64, ok bool) {
	e, ctl := c.experiment, c.control
	if c.poisson || e.N <= 0 || ctl.N <= 0 || surplus(e, ctl) > -uneven {
		return 0, false
	}
	missing := -more(e, ctl)
	bad := (e.Y + missing) / (e.N + missing)
	if c.ratio {
		return e.N / (e.N + missing), bad > ctl.Y/ctl.N*c.factor(c.margin)
	}
	return e.N / (e.N + missing), bad-ctl.Y/ctl.N > c.margin
}

// more is how many more requests the experiment has than control, adjusted by how
// many each unit had in the baseline.
func more(e, ctl slots.Moments) float64 { return e.N - ctl.N - lasting(e, ctl)*(e.N0-ctl.N0) }

// lasting is how many requests a unit has since for each in the baseline.
func lasting(e, ctl slots.Moments) float64 {
	both := e.Plus(ctl)
	if both.N0N0 <= 0 {
		return 0
	}
	return both.NN0 / both.N0N0
}

// surplus is that in standard deviations of units.
func surplus(e, ctl slots.Moments) float64 {
	both := e.Plus(ctl)
	v := both.NN - lasting(e, ctl)*both.NN0
	if v <= 0 {
		return 0
	}
	return more(e, ctl) / math.Sqrt(v)
}
