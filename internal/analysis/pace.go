package analysis

import (
	"math"
	"time"

	"mishap/internal/slots"
)

// pace is how fast a row gathers what decides it: what users did in the baseline
// says how much they differ, and what they do since how much is left of it.
type pace struct {
	began time.Time // of what the row counted in the baseline
	base  []paced   // seconds, and the variance of the row's share times the requests
	fault []paced   // seconds, and the information at the margin
}

// paced is a note, of so many requests, so many of them bad; deff is the design
// effect that they had with the fault.
type paced struct{ t, v, n, bad, deff float64 }

// note keeps one of every quarter more of the time.
func note(to *[]paced, p paced) {
	if n := len(*to); n > 0 && p.t < (*to)[n-1].t {
		return
	} else if n > 1 && (*to)[n-1].t < 1.25*(*to)[n-2].t {
		(*to)[n-1] = p
		return
	}
	*to = append(*to, p)
}

func (p *pace) before(sums slots.RowSums, upTo time.Time) {
	both := sums.Control.Before.Plus(sums.Experiment.Before)
	if both.N <= 0 {
		return
	}
	if p.began.IsZero() {
		p.began = upTo
		return
	}
	note(&p.base, paced{t: upTo.Sub(p.began).Seconds(), v: deffOf(both), n: both.N, bad: both.Y})
}

func (p *pace) since(r *row, after float64) {
	if s := r.at(r.margin); after > 0 && s.info > 0 {
		note(&p.fault, paced{t: after, v: s.info, bad: r.control.Y + r.experiment.Y, deff: s.deff})
	}
}

// deffOf is how many times the variance of independent requests units have.
func deffOf(b slots.Before) float64 {
	p := b.Y / b.N
	independent := b.N * p * (1 - p)
	if independent <= 0 {
		return 1
	}
	return max(1, (b.YY-2*p*b.NY+p*p*b.NN)/independent)
}

// half is the newest, and that of about half its time; none unless there are both.
func half(all []paced) (early, late paced, both bool) {
	if len(all) < 2 {
		return paced{}, paced{}, false
	}
	late = all[len(all)-1]
	for _, p := range all {
		if p.t <= 0.65*late.t {
			early, both = p, true
		}
	}
	return early, late, both && early.t >= 0.2*late.t
}

// chance is how far an estimate of a variance from so many bad requests is off,
// relatively.
func chance(bad float64) float64 { return math.Sqrt(2 / max(bad, 1)) }

// firstBursts are the first so many bursts of bad requests, by which it is seen how
// many are in one: of users that stay unlike, too few come again among them.
const firstBursts = 8

// bursts is in how many bursts the bad requests of a note came: so many may differ
// by chance.
func bursts(all []paced, at paced) float64 {
	for _, p := range all {
		if p.bad >= firstBursts*p.deff {
			return at.bad / p.deff
		}
	}
	return at.bad / at.deff
}

// clustering is how requests of one unit hang together, by the baseline: bursts
// multiply the variance; users that stay unlike add to it with time, by so much
// a second. What grows as chance does is taken for bursts.
func (p *pace) clustering() (burst, perSecond float64) {
	if len(p.base) == 0 {
		return 1, 0
	}
	early, late, both := half(p.base)
	if !both || late.v-early.v <= chance(early.bad)*late.v {
		return p.base[len(p.base)-1].v, 0
	}
	perSecond = (late.v - early.v) / (late.t - early.t)
	return max(late.v-perSecond*late.t, 1), perSecond
}

// ahead is how the row goes on as it went: the variance of the difference is
// a/t + b.
func (p *pace) ahead() (a, b float64, known bool) {
	if len(p.fault) == 0 {
		return 0, 0, false
	}
	late := p.fault[len(p.fault)-1]
	a = late.t / late.v
	early, late, both := half(p.fault)
	if !both {
		return a, 0, true
	}
	slope := (1/early.v - 1/late.v) / (1/early.t - 1/late.t)
	if left := 1/late.v - slope/late.t; slope > 0 && left*late.v > 2*chance(bursts(p.fault, early)) {
		return slope, left, true
	}
	return a, 0, true
}

// forecast is when the row is within its margin, by what is seen of the fault.
func (c *Comparison) forecast(r *row) (Forecast, bool) {
	a, b, known := r.pace.ahead()
	s := r.at(r.margin)
	distance := r.margin
	if r.ratio || r.q != 0 {
		distance = r.unit(s, r.small)
	}
	if !known || distance <= 0 {
		return Forecast{}, false
	}
	return forecast(a, b, distance, c.plan.Alpha), true
}

// left is how long until every row may be within its margin if there is no harm.
func (c *Comparison) left(in time.Duration) (time.Duration, bool) {
	most := time.Duration(0)
	for _, r := range c.rows {
		if !r.clears {
			continue
		}
		f, known := c.forecast(r)
		if !known {
			return 0, false
		}
		if f.Never {
			return longest, true
		}
		most = max(most, f.Mean)
	}
	return max(most-in, c.plan.AtLeast-in, 0), false
}

// hopeless is the row that no luck clears until the horizon: even at the best
// score of a hundred runs without harm there is too little information. It is
// not hopeless while harm may yet be shown, nor where it was known that few
// requests meet the fault.
func (c *Comparison) hopeless(in time.Duration) *row {
	if c.plan.Patient || c.plan.Exposed || c.plan.Horizon == 0 || in < max(c.plan.AtLeast, time.Minute) {
		return nil
	}
	var none *row
	for _, r := range c.rows {
		if c.harmInSight(r) {
			return nil
		}
		f, known := c.forecast(r)
		if !r.clears || !known || none != nil {
			continue
		}
		x := needed(c.plan.Alpha) / (1/(f.gain*c.plan.Horizon.Seconds()) + f.limit)
		if mixture(math.Sqrt(x)-guardClear, x, 1) < c.clearLevel() {
			none = r
		}
	}
	return none
}

// harmInSight reports whether the most harm that there may well be (95 %) would
// be shown at the horizon.
func (c *Comparison) harmInSight(r *row) bool {
	a, b, known := r.pace.ahead()
	s := r.at(r.margin)
	if most := s.z - newestClear; known && most > 0 && s.info > 0 {
		info := max(s.info, 1/(a/c.plan.Horizon.Seconds()+b))
		s.z, s.info = most*math.Sqrt(info/s.info), info
		return r.harmOf(s) >= c.harmLevel(0)
	}
	return false
}
