package analysis

import "math"

// logPhi is the logarithm of the normal distribution function; far below zero
// by its asymptotic series, where the function itself is no number any more.
func logPhi(x float64) float64 {
	if x > -30 {
		return math.Log(0.5 * math.Erfc(-x/math.Sqrt2))
	}
	s := 1 / (x * x)
	return -x*x/2 - math.Log(-x*math.Sqrt(2*math.Pi)) + math.Log1p(-s*(1-3*s*(1-5*s)))
}

// logMean is the logarithm of the mean of exp(x).
func logMean(xs ...float64) float64 {
	most := math.Inf(-1)
	for _, x := range xs {
		most = max(most, x)
	}
	if math.IsInf(most, 0) {
		return most
	}
	sum := 0.0
	for _, x := range xs {
		sum += math.Exp(x - most)
	}
	return most + math.Log(sum/float64(len(xs)))
}

func logGamma(x float64) float64 {
	v, _ := math.Lgamma(x)
	return v
}

// normalCDF is P(Z <= x).
func normalCDF(x float64) float64 { return 0.5 * math.Erfc(-x/math.Sqrt2) }

// inside reports whether lo < x < hi; what is not a number is not.
func inside(x, lo, hi float64) bool { return x > lo && x < hi }

// lastAbout is [last], on that side of mid where it changes.
func lastAbout(lo, mid, hi float64, f func(float64) float64) float64 {
	if f(mid) >= 0 {
		return last(mid, hi, f)
	}
	return last(lo, mid, f)
}

// last is the last point of [lo, hi] where f is not negative, if it is up to
// some point and not after: lo if it never is, hi if it always is. It goes
// through the secant, and halves what that does not.
func last(lo, hi float64, f func(float64) float64) float64 {
	fHi := f(hi)
	if fHi >= 0 {
		return hi
	}
	fLo := f(lo)
	if !(fLo >= 0) {
		return lo
	}
	for i := 0; i < 100 && hi-lo > 1e-10*max(1, math.Abs(lo)); i++ {
		mid := lo + (hi-lo)/2
		if i%3 != 2 { // a little beyond, so that both ends move
			if at := lo + (hi-lo)*fLo/(fLo-fHi); at > mid {
				mid = max(at-1e-3*(hi-at), mid)
			} else if at == at {
				mid = min(at+1e-3*(at-lo)+1e-12, mid)
			}
		}
		if v := f(mid); v >= 0 {
			lo, fLo = mid, v
		} else {
			hi, fHi = mid, v
		}
	}
	return lo
}
