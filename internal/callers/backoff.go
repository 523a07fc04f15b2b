package callers

import (
	"fmt"
	"math"

	"mishap"
)

// BackoffKind is how pauses go on from attempt to attempt.
type BackoffKind string

// The kinds.
const (
	Unknown     BackoffKind = "unknown"
	Immediate   BackoffKind = "immediate"   // no pause worth the name
	Constant    BackoffKind = "constant"    // the same pause each time, apart from jitter
	Linear      BackoffKind = "linear"      // longer by the same amount each time
	Exponential BackoffKind = "exponential" // longer by the same factor each time, perhaps up to a cap
	Mixture     BackoffKind = "mixture"     // requests follow different policies: none of them is what callers do
)

// Backoff says how callers pause between the attempts of a request.
type Backoff struct {
	Kind   BackoffKind     `json:"kind"`
	First  mishap.Duration `json:"first,omitempty"`  // the first pause, on average
	Factor float64         `json:"factor,omitempty"` // of exponential
	Step   mishap.Duration `json:"step,omitempty"`   // of linear
	Cap    mishap.Duration `json:"cap,omitempty"`    // of exponential: pauses stop growing here, on average
	AtOnce bool            `json:"atOnce,omitempty"` // the second attempt comes at once; the rest is about those after it
	Gaps   []Gap           `json:"gaps,omitempty"`
	Parts  []Part          `json:"parts,omitempty"` // of a mixture
	Why    string          `json:"why,omitempty"`   // of unknown; else what else would fit
}

const (
	immediate = 10.0 // ms: shorter pauses are none

	// grows is how many standard errors a growth must be from none. Chance alone does that in fewer than one of ten
	// thousand analyses; between unsure and grows nothing is said.
	grows, unsure = 4.0, 3.5
	// leastGrowth is how much longer than the first pause later ones must be: a drift of the machine is less.
	leastGrowth = 1.25

	// What a mean may be off beside its standard error: the caller's own work, and a machine that is not always as busy.
	ownWork = 1.0 // ms
	drift   = 0.02
)

// backoff decides on means by position: whatever its jitter, a policy's mean grows as the policy does. The steps are: no
// pause; no growth (neither a trend over all positions nor a step after the first); growth by a factor; by a factor up to
// a cap; by a constant. A straight line and a curve that are both within the error are called exponential, which is by far
// the commoner, and Why says so.
func (p *pauses) backoff() Backoff {
	b := Backoff{Kind: Unknown, Gaps: p.summary()}
	if allBelow(p.median, immediate) {
		b.Kind, b.First = Immediate, millis(p.mean[0])
		return b
	}
	p.withoutFirst()
	b.AtOnce, b.First = p.atOnce, millis(p.mean[0])
	stderr, logs, logerr := p.errors()
	sure, times := growth(logs, logerr)
	switch {
	case sure <= -grows && times <= 1/leastGrowth:
		b.Why = "pauses become shorter from attempt to attempt"
	case sure >= grows && times >= leastGrowth:
		p.grown(&b, stderr, logs, logerr)
	case sure >= unsure && times >= leastGrowth:
		b.Why = "pauses may grow, but too few requests were seen to tell"
	default:
		mean, _, _ := level(p.mean, stderr)
		b.Kind, b.First = Constant, millis(mean)
	}
	return b
}

func allBelow(list []float64, bound float64) bool {
	for _, v := range list {
		if v > bound {
			return false
		}
	}
	return true
}

// errors are the errors of the means, and the logarithms of the means with theirs.
func (p *pauses) errors() (stderr, logs, logerr []float64) {
	for i, m := range p.mean {
		m = max(m, 0.01)
		e := math.Sqrt(p.err[i]*p.err[i] + ownWork*ownWork + drift*drift*m*m)
		stderr, logs, logerr = append(stderr, e), append(logs, math.Log(m)), append(logerr, e/m)
	}
	return stderr, logs, logerr
}

// growth is how many times as long as the first pause the last one is by their trend, or all others are by their mean,
// whichever is surer, and by how many standard errors that is from no growth.
func growth(logs, logerr []float64) (sure, times float64) {
	trend := fit(positions(len(logs)), logs, logerr)
	rest, err, _ := level(logs[1:], logerr[1:])
	step := rest - logs[0]
	bySlope, byStep := trend.b/trend.stderr, step/math.Hypot(err, logerr[0])
	if math.Abs(byStep) > math.Abs(bySlope) {
		return byStep, math.Exp(step)
	}
	return bySlope, math.Exp(trend.b * float64(len(logs)-1))
}

func positions(n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = float64(i)
	}
	return x
}

// grown says how pauses grow that do.
func (p *pauses) grown(b *Backoff, stderr, logs, logerr []float64) {
	n := len(logs)
	x := positions(n)
	if n < 3 {
		b.Why = "pauses grow, but how needs one more attempt than was seen"
		return
	}
	factor, straight := fit(x, logs, logerr), fit(x, p.mean, stderr)
	linear := straight.b > 0 && fits(straight.chi2, n-2)
	exponential := func() {
		b.Kind, b.First, b.Factor = Exponential, millis(math.Exp(factor.a)), round2(math.Exp(factor.b))
	}
	switch {
	case fits(factor.chi2, n-2):
		exponential()
		if linear && straight.chi2 < factor.chi2+4 {
			b.Why = "steps of equal length would fit too"
		}
	case p.capped(b, stderr, logs, logerr, 2):
	case linear:
		b.Kind, b.First, b.Step = Linear, millis(straight.a), millis(straight.b)
	case p.capped(b, stderr, logs, logerr, 1):
	default:
		b.Why = fmt.Sprintf("pauses grow (%s), but neither by a factor nor by equal steps", p.listed())
	}
}

// capped tries growth by a factor up to a level, which at least flat positions are at.
func (p *pauses) capped(b *Backoff, stderr, logs, logerr []float64, flat int) bool {
	n, best := len(logs), math.Inf(1)
	for from := n - flat; from >= 1; from-- {
		top, err, chi2 := level(p.mean[from:], stderr[from:])
		first, factor, freedom := p.mean[0], top/p.mean[0], n-2
		if from >= 2 {
			curve := fit(positions(from), logs[:from], logerr[:from])
			first, factor, freedom = math.Exp(curve.a), math.Exp(curve.b), n-3
			chi2 += curve.chi2
			beyond := first * math.Pow(factor, float64(from))
			if top > beyond*(1+4*logerr[from-1])+4*err || top < p.mean[from-1]-4*err {
				continue // not where this growth would have been cut
			}
		} else if flat < 2 {
			continue
		}
		if chi2 < best && factor >= leastGrowth && fits(chi2, freedom) {
			best = chi2
			b.Kind, b.First, b.Factor, b.Cap = Exponential, millis(first), round2(factor), millis(top)
		}
	}
	return !math.IsInf(best, 1)
}

// listed is the first pauses in words.
func (p *pauses) listed() string {
	text := ""
	for i, m := range p.mean[:min(len(p.mean), 5)] {
		if i > 0 {
			text += ", "
		}
		text += millis(m).String()
	}
	return text
}

func round2(v float64) float64 { return math.Round(v*100) / 100 }
