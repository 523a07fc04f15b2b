package analysis

import "math"

// A roc is a way in which latencies may have become worse: the share of
// requests slower than x in the experiment, as a function of that share in
// control. All are concave, so that a bin of slower requests is never bet on
// less than a bin of quicker ones, and a quicker experiment is never harm.
type roc struct {
	// shift, if set, is a binormal curve: G(s) = Phi(PhiInverse(s) + shift),
	// which is exact for lognormal latencies times exp(shift*sigma).
	shift float64
	// Else share of the requests went to control's slowest tail:
	// G(s) = (1-share)*s + share*min(1, s/tail).
	share, tail float64
	weight      float64
}

// rocs are the ways that are bet on: everything slower, and tails.
func rocs() []roc {
	return []roc{
		{shift: 0.1, weight: 0.1}, {shift: 0.2, weight: 0.1}, {shift: 0.4, weight: 0.1},
		{shift: 0.8, weight: 0.1}, {shift: 1.6, weight: 0.1}, {shift: 3, weight: 0.1},
		{share: 0.01, tail: 0.01, weight: 0.05}, {share: 0.03, tail: 0.01, weight: 0.05},
		{share: 0.1, tail: 0.01, weight: 0.05}, {share: 0.4, tail: 0.01, weight: 0.05},
		{share: 0.05, tail: 0.1, weight: 0.05}, {share: 0.2, tail: 0.1, weight: 0.05},
		{share: 0.01, tail: 0.001, weight: 0.05}, {share: 0.05, tail: 0.001, weight: 0.05},
	}
}

func (g roc) at(s float64) float64 {
	switch {
	case s <= 0:
		return 0
	case s >= 1:
		return 1
	case g.shift != 0:
		return normalCDF(normalQuantile(s) + g.shift)
	}
	return (1-g.share)*s + g.share*math.Min(1, s/g.tail)
}

// ratios are R of F1 by bin, given the share of requests in each bin of
// control: R[b] = (G(S[b-1]) - G(S[b])) / (S[b-1] - S[b]), S[b] being the share
// beyond bin b. They never fall with b.
func (g roc) ratios(mass []float64) []float64 {
	r := make([]float64, len(mass))
	// from the slowest bin, where shares are small and sums exact
	beyond, gBeyond := 0.0, 0.0
	for b := len(mass) - 1; b >= 0; b-- {
		s := beyond + mass[b]
		if b == 0 {
			s = 1
		}
		gs := g.at(s)
		r[b] = (gs - gBeyond) / mass[b]
		beyond, gBeyond = s, gs
	}
	most := 1e-9
	for b := range r {
		if !(r[b] > most) {
			r[b] = most // rounding in bins that hold next to nothing
		}
		most = r[b]
	}
	return r
}

// shape is what is known of control's latencies, smoothed so that no bin is
// impossible: 2 requests' worth spread evenly over all bins.
func shape(counts []float64) []float64 {
	mass, total := make([]float64, len(counts)), 2.0
	for _, n := range counts {
		total += n
	}
	for b, n := range counts {
		mass[b] = (n + 2/float64(len(counts))) / total
	}
	return mass
}
