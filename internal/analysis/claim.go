package analysis

import (
	"math"

	"mishap/internal/slots"
)

// claim is one row with the question that is asked of it: by how much has the
// experiment more than control? The answer t is a difference d of shares, or,
// for margins that are ratios, the logarithm of the factor f between the arms,
// counted upwards in the direction of harm.
type claim struct {
	control, experiment slots.Moments
	ratio               bool
	down                bool    // fewer is harm
	poisson             bool    // y are events
	margin              float64 // t at the margin
	small               float64 // how far E is from the margin without harm; of ratios in logarithms
	quantile            bool    // small is of a latency
}

// smallest is the least harm that evidence is tuned to.
const smallest = 0.002

// pair is the sums if the harm is t, of which d has still to be taken.
func (c *claim) pair(t float64) (p pair, d float64) {
	if c.ratio {
		return pairOf(c.control, c.experiment, 1/c.factor(t), c.poisson), 0
	}
	return pairOf(c.control, c.experiment, 1, c.poisson), t
}

// factor is how many times as many the experiment has, if the harm is t.
func (c *claim) factor(t float64) float64 {
	if c.down {
		t = -t
	}
	return math.Exp(t)
}

// at is the score beyond a harm of t: positive if there is more.
func (c *claim) at(t float64) score {
	p, d := c.pair(t)
	s := p.at(d)
	if c.down {
		s.t, s.z = -s.t, -s.z
	}
	return s
}

// harm is the log evidence that the harm is more than t.
func (c *claim) harm(t float64) float64 { return c.harmOf(c.at(t)) }

func (c *claim) harmOf(s score) float64 {
	if s.v <= 0 {
		return 0
	}
	if c.ratio || c.quantile {
		return narrow(s.z, s.info, c.unit(s, c.small))
	}
	return wide(s.z, s.info, c.margin)
}

// within is the log evidence that the harm is less than t.
func (c *claim) within(t float64) float64 {
	s := c.at(t)
	switch {
	case s.v <= 0:
		return 0
	case c.ratio:
		return mixture(-s.z, s.info, c.unit(s, max(c.small, math.Abs(t))))
	case c.quantile:
		return mixture(-s.z, s.info, max(c.small, t))
	}
	return mixture(-s.z, s.info, max(c.margin, t, smallest))
}

// unit is a harm in the score's own unit: ratios are of the mean of the rows.
func (c *claim) unit(s score, t float64) float64 {
	if c.ratio {
		return s.rate * -math.Expm1(-t)
	}
	return t
}

// reach is between what the answer is sought.
func (c *claim) reach() (lo, hi float64) {
	if c.ratio {
		return math.Log(1e-3), math.Log(1e3)
	}
	return -1, 1
}

// span is where the harm lies: low is the least that is not shown to be exceeded
// at the level of evidence for harm, high the greatest that is not shown to be
// more than there is. What lies beyond the margin is read off the evidence at
// the margin itself, so that the two never differ.
type span struct {
	estimate, low, high float64
	beyond, within      bool
	harm, clear         float64 // the log evidence at the margin
}

// span is what the evidence at the margin says, and, if they are asked for, both
// ends, by bisection. Beside is more evidence for harm, averaged half and half;
// nil if there is none. It is of signs, which are fair coins only if the arm makes
// no difference or a small one: of a unit that fails most of the time it is plain
// which arm it is of. So it says whether there is more than the margin, and not
// how much more.
func (c *claim) span(harmAt, clearAt float64, beside func(float64) float64, ends bool) span {
	harm := c.harm
	if beside != nil {
		harm = func(t float64) float64 {
			if t > c.margin {
				return c.harm(t) - math.Ln2
			}
			return logMean(c.harm(t), beside(t))
		}
	}
	lo, hi := c.reach()
	s := span{harm: harm(c.margin), clear: c.within(c.margin), low: lo, high: hi}
	s.beyond = s.harm >= harmAt
	s.within = s.clear >= clearAt && !s.beyond
	if !ends || c.control.N <= 0 || c.experiment.N <= 0 {
		return s
	}
	s.low = lastAbout(lo, c.margin, hi, func(t float64) float64 { return harm(t) - harmAt })
	open := func(t float64) float64 { return clearAt - c.within(t) }
	if s.within {
		s.high = last(lo, c.margin, open)
	} else {
		s.high = last(c.margin, hi, open)
	}
	s.high = max(s.high, s.low) // they are of different evidence
	s.estimate = min(max(c.estimate(), s.low), s.high)
	return s
}

// estimate is the harm that the sums have themselves.
func (c *claim) estimate() float64 {
	if !c.ratio {
		s := c.at(0)
		return s.t / s.a
	}
	lo, hi := c.reach()
	return last(lo, hi, func(t float64) float64 { return c.at(t).z })
}
