package analysis

import "math"

// Interval is an estimate with the bounds it is believed to lie in. The
// intervals of this package hold at all times at once (confidence sequences):
// the probability that one ever misses the truth is at most alpha. After a
// comparison that stopped early the estimate itself is biased away from none.
type Interval struct {
	Low      float64 `json:"low"`
	Estimate float64 `json:"estimate"`
	High     float64 `json:"high"`
}

// mostRatio stands for a ratio without an upper bound.
const mostRatio = 1e9

// BetaBinomial is the closed form of the evidence about the share q of x
// events among x+y, with a Beta(A, B) prior. It needs a q that is constant.
// Source: Robbins 1970; Howard, Ramdas et al., confseq, beta-binomial mixture.
type BetaBinomial struct{ A, B float64 }

// LogE is the log evidence, from x and y, that the share is not q:
//
//	lB(A+x, B+y) - lB(A, B) - x*log q - y*log(1-q)
func (m BetaBinomial) LogE(x, y, q float64) float64 {
	return logBeta(m.A+x, m.B+y) - logBeta(m.A, m.B) - times(x, math.Log(q)) - times(y, math.Log1p(-q))
}

// LogGreater is the log evidence that the share is greater than q: the prior
// is cut off below q. It also holds for all shares below q.
func (m BetaBinomial) LogGreater(x, y, q float64) float64 {
	return m.LogE(x, y, q) + logBetaInc(m.B+y, m.A+x, 1-q) - logBetaInc(m.B, m.A, 1-q)
}

// LogLess is the log evidence that the share is less than q.
func (m BetaBinomial) LogLess(x, y, q float64) float64 {
	return m.LogE(x, y, q) + logBetaInc(m.A+x, m.B+y, q) - logBetaInc(m.A, m.B, q)
}

// Interval is all q that x and y do not speak against at level alpha.
func (m BetaBinomial) Interval(x, y, alpha float64) Interval {
	if x+y <= 0 {
		return Interval{0, 0.5, 1}
	}
	level, best := math.Log(1/alpha), x/(x+y)
	out := func(q float64) bool { return m.LogE(x, y, q) >= level }
	i := Interval{0, best, 1}
	if x > 0 {
		i.Low = root(0, best, out)
	}
	if y > 0 {
		i.High = root(best, 1, func(q float64) bool { return !out(q) })
	}
	return i
}

// times is x*y, and 0 if x is, whatever y.
func times(x, y float64) float64 {
	if x == 0 {
		return 0
	}
	return x * y
}

// RatioInterval is for the rate of x events over that of y, q being x's share
// of the exposure (requests, or the known split), which must not change while
// they are counted; rates may. Events are independent. A ratio without an
// upper bound is 1e9. Source: [BetaBinomial] given the sum, prior
// Beta(100q, 100(1-q)).
func RatioInterval(x, y, q, alpha float64) Interval {
	i := BetaBinomial{100 * q, 100 * (1 - q)}.Interval(x, y, alpha)
	ratio := func(p float64) float64 {
		if p >= 1 {
			return mostRatio
		}
		return min(p/(1-p)*(1-q)/q, mostRatio)
	}
	return Interval{ratio(i.Low), ratio(i.Estimate), ratio(i.High)}
}

// ShareInterval is for the share of s successes among s+f independent trials
// of a constant share. Source: [BetaBinomial] with prior Beta(.5, .5).
func ShareInterval(s, f, alpha float64) Interval {
	return BetaBinomial{0.5, 0.5}.Interval(s, f, alpha)
}

// DifferenceInterval is for the difference of the shares x/nX - y/nY of two
// arms, each of independent trials of a constant share: the difference of a
// [ShareInterval] of each at alpha/2. It is wider than the evidence that
// decides, and is for reports alone.
func DifferenceInterval(x, nX, y, nY, alpha float64) Interval {
	a, b := ShareInterval(x, max(nX-x, 0), alpha/2), ShareInterval(y, max(nY-y, 0), alpha/2)
	return Interval{a.Low - b.High, a.Estimate - b.Estimate, a.High - b.Low}
}
