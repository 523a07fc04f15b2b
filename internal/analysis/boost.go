package analysis

import "math"

// mostOutcomes bounds the work of boosting one bucket; beyond it the plain
// evidence is used, which overshoots little there.
const mostOutcomes = 2000

// outcome is one way a bucket could have turned out were there no harm, given
// what is held fixed: its log probability, and what the mixture gains by it.
type outcome struct{ logP, gain float64 }

// boost is the largest b with
//
//	sum_i exp(logP[i]) * exp(min(b + gain[i], room)) <= 1
//
// where room is what is missing to the threshold. What evidence overshoots the
// threshold by is wasted; boosting takes it away and spreads it over all other
// outcomes, so that the expectation under the null stays at most 1. It holds
// if logP is the exact law of the null, or if gain rises with harm; it must not
// be combined with a dispersion.
//
// With the outcomes that reach the threshold known, b has a closed form; each
// pass finds more of them, until none is left to find.
// Source: Fischer and Ramdas 2024, arXiv 2410.16076.
func boost(all []outcome, room float64) float64 {
	most := math.Inf(-1)
	for _, o := range all {
		most = max(most, o.logP+o.gain)
	}
	sum := 0.0
	for _, o := range all {
		sum += math.Exp(o.logP + o.gain - most)
	}
	b := -most - math.Log(sum)
	for range len(all) {
		free, full := 0.0, 0.0
		for _, o := range all {
			if b+o.gain >= room {
				full += math.Exp(o.logP + room)
			} else {
				free += math.Exp(o.logP + o.gain - most)
			}
		}
		next := math.Log1p(-full) - most - math.Log(free)
		if !(next > b+1e-13) || math.IsInf(next, 1) { // also not a number
			break
		}
		b = next
	}
	return b
}

// binomial is the log probability that k of m events fall to the experiment,
// each by chance q.
func binomial(k, m, q float64) float64 {
	return logChoose(m, k) + k*math.Log(q) + (m-k)*math.Log1p(-q)
}

// hypergeometric is the log probability that k of m failures are the
// experiment's, if nE of n trials are and which ones failed is chance.
func hypergeometric(k, m, nE, n float64) float64 {
	return logChoose(nE, k) + logChoose(n-nE, m-k) - logChoose(n, m)
}
