package analysis

import (
	"math"

	"mishap/internal/slots"
)

// guard compares a row with its own baseline, in control alone or in both arms.
// Nothing is drawn there, so it is no proof of harm: it stops, and keeps from
// being cleared.
type guard struct {
	since     slots.Moments
	before    slots.Before
	margin    float64 // what may be added
	by        float64 // what is bad since counts this much: 1 over a margin that is a ratio
	small     float64 // of a latency or a ratio; 0: that of the margin
	times     [2]float64
	perSecond bool // events: rates by time, of which times are the seconds since and before
	down      bool // fewer is worse
}

// changed is a guard at a margin m.
type changed struct {
	now, before, more float64 // shares, or events per second; more is beyond m
	v, z              float64
}

func (g *guard) at(m float64) changed {
	if g.perSecond {
		return g.rates(m)
	}
	s, b := scaled(g.since, g.by), g.before
	if s.N <= 0 || b.N <= 0 {
		return changed{}
	}
	c := changed{now: g.since.Y / s.N, before: b.Y / b.N, more: s.Y/s.N - b.Y/b.N - m}
	p0 := max((s.Y+b.Y-m*s.N)/(s.N+b.N), 0)
	p1 := p0 + m
	s1 := s.YY - 2*p1*s.NY + p1*p1*s.NN
	s0 := b.YY - 2*p0*b.NY + p0*p0*b.NN
	b1, b0 := max(s.N*p1*(1-p1), 0), max(b.N*p0*(1-p0), 0)
	deff := 1.0
	if b1+b0 > 0 {
		deff = max(1, (s1+s0)/(b1+b0))
	}
	cross := s.YY0 - p0*s.YN0 - p1*s.NY0 + p0*p1*s.NN0
	c.v = max(max(s1, deff*b1)/(s.N*s.N)+max(s0, deff*b0)/(b.N*b.N)-2*cross/(s.N*b.N), b1/(s.N*s.N)+b0/(b.N*b.N))
	return c.scored()
}

// rates is the same of events per second. Units come and go, so that each
// unit's own sums are its variance; what came since has no less than what was
// usual lets expect.
func (g *guard) rates(m float64) changed {
	since, before := g.times[0], g.times[1]
	s, b := scaled(g.since, g.by), g.before
	if since <= 0 || before <= 0 || b.Units <= 0 {
		return changed{}
	}
	c := changed{now: g.since.Y / since, before: b.Y / before}
	c.more = s.Y/since - c.before - m
	if g.down {
		c.more = c.before - s.Y/since - m
	}
	rate := (s.Y + b.Y) / (since + before)
	deff := max(1, (b.YY-b.Y*b.Y/b.Units)/max(b.Y, 1))
	c.v = max(max(s.YY, deff*rate*since)/(since*since)+b.YY/(before*before)-2*s.YY0/(since*before), rate/since+rate/before)
	return c.scored()
}

func (c changed) scored() changed {
	if c.v > 0 {
		c.z = c.more / math.Sqrt(c.v)
	}
	return c
}

// worse is the log evidence that it is worse than before by more than m.
func (g *guard) worse(m float64) float64 {
	c := g.at(m)
	if c.v <= 0 {
		return 0
	}
	if small := g.smallOf(c); small > 0 {
		return narrow(c.z, 1/c.v, small)
	}
	return wide(c.z, 1/c.v, g.margin)
}

func (g *guard) smallOf(c changed) float64 {
	if g.by != 1 || g.perSecond {
		return g.small * c.before
	}
	return g.small
}

// guardClear is the plain 99 % of a normal: what clears is not said at every
// look, but once.
const guardClear = -2.33

// ends are the least change that is not shown to be exceeded, and the most that
// there may be.
func (g *guard) ends(level float64) (low, high float64) {
	lo, hi := -1.0, 1.0
	if g.perSecond {
		hi = 10 * max(1, g.at(0).now+g.at(0).before)
		lo = -hi
	}
	low = lastAbout(lo, g.margin, hi, func(m float64) float64 { return g.worse(m) - level })
	return low, lastAbout(lo, g.margin, hi, func(m float64) float64 { return g.at(m).z - guardClear })
}
