package analysis

import "math"

// logAddExp is log(exp(a) + exp(b)) without overflow.
func logAddExp(a, b float64) float64 {
	if a < b {
		a, b = b, a
	}
	if math.IsInf(b, -1) {
		return a
	}
	return a + math.Log1p(math.Exp(b-a))
}

// logSumExp is log(sum of exp(x)) without overflow; -Inf for none.
func logSumExp(xs ...float64) float64 {
	most := math.Inf(-1)
	for _, x := range xs {
		most = max(most, x)
	}
	if math.IsInf(most, -1) {
		return most
	}
	sum := 0.0
	for _, x := range xs {
		sum += math.Exp(x - most)
	}
	return most + math.Log(sum)
}

// finite keeps a logarithm writable as JSON: evidence below exp(-1e300) is
// as good as none.
func finite(x float64) float64 { return min(max(x, -1e300), 1e300) }

func logGamma(x float64) float64 {
	v, _ := math.Lgamma(x)
	return v
}

// logBeta is log B(a, b).
func logBeta(a, b float64) float64 { return logGamma(a) + logGamma(b) - logGamma(a+b) }

// logChoose is log(n choose k).
func logChoose(n, k float64) float64 { return logGamma(n+1) - logGamma(k+1) - logGamma(n-k+1) }

// normalCDF is P(Z <= x).
func normalCDF(x float64) float64 { return 0.5 * math.Erfc(-x/math.Sqrt2) }

// normalQuantile is the inverse of normalCDF, for p in (0, 1).
func normalQuantile(p float64) float64 {
	if p > 0.5 {
		return -normalQuantile(1 - p)
	}
	return -math.Sqrt2 * math.Erfcinv(2*p)
}

// logBetaInc is log I_x(a, b), the regularised incomplete beta function, by
// its continued fraction (Lentz; Press et al., Numerical Recipes, 6.4).
func logBetaInc(a, b, x float64) float64 {
	switch {
	case x <= 0:
		return math.Inf(-1)
	case x >= 1:
		return 0
	case x > (a+1)/(a+b+2):
		return math.Log1p(-math.Exp(logBetaInc(b, a, 1-x)))
	}
	front := a*math.Log(x) + b*math.Log1p(-x) - math.Log(a) - logBeta(a, b)
	return front + math.Log(betaFraction(a, b, x))
}

func betaFraction(a, b, x float64) float64 {
	const tiny = 1e-300
	away := func(v float64) float64 {
		if math.Abs(v) < tiny {
			return tiny
		}
		return v
	}
	c, d := 1.0, 1/away(1-(a+b)*x/(a+1))
	h := d
	for m := 1.0; m < 100_000; m++ {
		even := m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		d, c = 1/away(1+even*d), away(1+even/c)
		h *= d * c
		odd := -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		d, c = 1/away(1+odd*d), away(1+odd/c)
		h *= d * c
		if math.Abs(d*c-1) < 1e-16 {
			break
		}
	}
	return h
}

// gammaInc is P(a, x), the regularised lower incomplete gamma function, by its
// series (Press et al., 6.2). It is used below the mean, where that is quick.
func gammaInc(a, x float64) float64 {
	if x <= 0 {
		return 0
	}
	sum, term := 1/a, 1/a
	for n := a + 1; term > sum*1e-16; n++ {
		term *= x / n
		sum += term
	}
	return math.Min(1, math.Exp(a*math.Log(x)-x-logGamma(a))*sum)
}

// chiSquareQuantile is the p-quantile, p <= 0.5, of chi-square with n degrees.
func chiSquareQuantile(p, n float64) float64 {
	return root(0, n, func(x float64) bool { return gammaInc(n/2, x/2) < p })
}

// root narrows [lo, hi] to where below turns from true to false, and gives the
// largest point it knows to be below (or lo).
func root(lo, hi float64, below func(float64) bool) float64 {
	for range 200 {
		mid := lo + (hi-lo)/2
		if mid <= lo || mid >= hi {
			break
		}
		if below(mid) {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}
