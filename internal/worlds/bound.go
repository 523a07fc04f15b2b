package worlds

import "math"

// Bound is how many seconds any test takes on average at least to tell that the experiment's share e is more than m above
// control's share c (or, if it is not, that it is less), where requests are independent and each arm has so many a second:
// Wald's log(1/α) over the least information per second against what is to be excluded.
func Bound(c, e, m, rate, alpha float64) float64 {
	// The nearest pair that is exactly at the margin: a in control, a+m in the experiment.
	lo, hi := max(0, -m)+1e-12, min(1, 1-m)-1e-12
	kl := func(a float64) float64 { return divergence(c, a) + divergence(e, a+m) }
	for range 200 {
		x, y := lo+(hi-lo)/3, hi-(hi-lo)/3
		if kl(x) < kl(y) {
			hi = y
		} else {
			lo = x
		}
	}
	return math.Log(1/alpha) / (rate * kl((lo+hi)/2))
}

// divergence is the information per request by which a share p is told from q (Kullback and Leibler).
func divergence(p, q float64) float64 {
	part := func(p, q float64) float64 {
		if p == 0 {
			return 0
		}
		return p * math.Log(p/q)
	}
	return part(p, q) + part(1-p, 1-q)
}
