package analysis

import (
	"fmt"
	"math"
)

// NormalMixture is F7, the log evidence that a sum of differences with mean 0
// would be so large: s is the sum, v its variance so far, and rho2 the prior's.
//
//	two-sided: log e = s^2*rho2 / (2*(1+v*rho2)) - log(1+v*rho2)/2
//	one-sided: + log(2*Phi(s*rho/sqrt(1+v*rho2)))
//
// It is exact for normal or sub-Gaussian differences of a known variance, and
// asymptotic else. Source: Robbins 1970; Howard, Ramdas et al. 2021 (confseq);
// Waudby-Smith et al. 2021 (arXiv 2103.06476).
func NormalMixture(s, v, rho2 float64, oneSided bool) float64 {
	d := 1 + v*rho2
	e := s*s*rho2/(2*d) - math.Log(d)/2
	if oneSided {
		e += math.Ln2 + math.Log(normalCDF(s*math.Sqrt(rho2/d)))
	}
	return e
}

// BestRho2 is the prior for which a [MeanInterval] is about narrowest when the
// variance of the sum is v: (2*log(1/alpha) + log(1+2*log(1/alpha))) / v.
func BestRho2(v, alpha float64) float64 {
	level := 2 * math.Log(1/alpha)
	return (level + math.Log1p(level)) / v
}

// MeanInterval is for the mean of n differences, given their mean, variance and
// a prior rho2 ([BestRho2] of a variance chosen beforehand):
//
//	mean +- sqrt((1+v*rho2)/rho2 * (log(1+v*rho2) + 2*log(1/alpha))) / n, v = n*variance
//
// It assumes independent differences with a common variance, and is asymptotic.
// Source: as [NormalMixture].
func MeanInterval(mean, variance, n, rho2, alpha float64) (Interval, error) {
	if !(n >= 2) || !(variance >= 0) || !(rho2 > 0) || !inside(alpha, 0, 1) || math.IsNaN(mean) || math.IsInf(mean+variance+n+rho2, 0) {
		return Interval{}, fmt.Errorf("compute interval of mean: %w: %g differences of variance %g", ErrShort, n, variance)
	}
	d := 1 + n*variance*rho2
	w := math.Sqrt(d/rho2*(math.Log(d)+2*math.Log(1/alpha))) / n
	return Interval{mean - w, mean, mean + w}, nil
}

// QuantileCounts are the least and the most number, of n independent values,
// that may lie at or below their p-quantile: k with log evidence of k and n-k
// against p, prior Beta(20p, 20(1-p)), below log(1/alpha).
// Source: as [BetaBinomial]; Howard and Ramdas 2022 (arXiv 1906.09712).
func QuantileCounts(n int64, p, alpha float64) (least, most int64) {
	m, level := BetaBinomial{20 * p, 20 * (1 - p)}, math.Log(1/alpha)
	in := func(k float64) bool { return m.LogE(k, float64(n)-k, p) < level }
	mid := math.Round(float64(n) * p)
	lo, hi := mid, mid
	for step := math.Max(1, math.Floor(float64(n)/4)); step >= 1; step = math.Floor(step / 2) {
		for lo-step >= 0 && in(lo-step) {
			lo -= step
		}
		for hi+step <= float64(n) && in(hi+step) {
			hi += step
		}
	}
	return int64(lo), int64(hi)
}

// QuantileInterval is for the p-quantile of latencies, in seconds, from the
// outer edges of the bins that may hold it. Above the last bound High is the
// last bound, and open says so. It assumes independent requests of one law.
func QuantileInterval(h Histogram, p, alpha float64) (i Interval, open bool, err error) {
	if err := h.check(); err != nil {
		return Interval{}, false, fmt.Errorf("compute quantile: %w", err)
	}
	n := int64(0)
	for _, c := range h.Counts {
		n += c
	}
	if n == 0 || !inside(p, 0, 1) || !inside(alpha, 0, 1) {
		return Interval{}, false, fmt.Errorf("compute quantile: %w: %d requests, p %g", ErrShort, n, p)
	}
	least, most := QuantileCounts(n, p, alpha)
	low, _ := h.edges(least)
	_, high := h.edges(most + 1)
	_, middle := h.edges(int64(math.Ceil(float64(n) * p)))
	last := h.Bounds[len(h.Bounds)-1]
	return Interval{low, min(middle, last), min(high, last)}, high > last, nil
}

// edges are those of the bin that holds the k-th smallest value.
func (h *Histogram) edges(k int64) (low, high float64) {
	seen := int64(0)
	for b, n := range h.Counts {
		if seen += n; seen >= k && n > 0 {
			if b == len(h.Bounds) {
				break
			}
			if b > 0 {
				low = h.Bounds[b-1]
			}
			return low, h.Bounds[b]
		}
	}
	return h.Bounds[len(h.Bounds)-1], math.Inf(1)
}

// Band is how far a distribution seen in n independent values may ever lie
// from the true one, at any value: the half-width of a band around it,
//
//	0.85 * sqrt((log(log(e*n)) + 0.8*log(1612/alpha)) / n)
//
// It is for plots; as a test it is an order of magnitude slower than the
// evidence of this package. Source: Howard and Ramdas 2022 (arXiv 1906.09712).
func Band(n int64, alpha float64) float64 {
	if n < 1 || !inside(alpha, 0, 1) {
		return 1
	}
	x := float64(n)
	return math.Min(1, 0.85*math.Sqrt((math.Log(math.Log(math.E*x))+0.8*math.Log(1612/alpha))/x))
}
