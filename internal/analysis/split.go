package analysis

import (
	"fmt"
	"math"
)

const (
	// splitAlpha is the probability of calling a sound split broken.
	splitAlpha = 0.001
	// splitConcentration says how near to the planned split a broken one is
	// expected to be: within about 3 %.
	splitConcentration = 1000
)

// SplitEvidence is the log evidence that units were not assigned to arms in
// the planned proportions (sample-ratio mismatch): a Dirichlet mixture of
// multinomials against the planned one,
//
//	lgamma(c) - lgamma(c+n) + sum_i [lgamma(c*p[i]+n[i]) - lgamma(c*p[i]) - n[i]*log p[i]]
//
// with c = 1000. Counts are of units as they were assigned, where they were
// assigned (not of requests that came through), each assigned independently.
// It may be looked at any time; at log(1000) = 6.9 the split is broken, except
// with probability 0.001. Source: Lindon and Malek 2022 (arXiv 2011.03567).
func SplitEvidence(counts []int64, planned []float64) (float64, error) {
	if len(counts) != len(planned) || len(counts) < 2 {
		return 0, fmt.Errorf("weigh split: %w: %d counts of %d arms", ErrBucket, len(counts), len(planned))
	}
	total, whole, e := 0.0, 0.0, 0.0
	for i, n := range counts {
		if n < 0 || n > mostCount || !inside(planned[i], 0, 1) {
			return 0, fmt.Errorf("weigh split: %w: count %d at a share of %g", ErrBucket, n, planned[i])
		}
		total, whole = total+float64(n), whole+planned[i]
		e += gainedSplit(float64(n), planned[i])
	}
	if whole < 1-1e-9 || whole > 1+1e-9 {
		return 0, fmt.Errorf("weigh split: %w: shares add up to %g", ErrBucket, whole)
	}
	return e + logGamma(splitConcentration) - logGamma(splitConcentration+total), nil
}

func gainedSplit(n, share float64) float64 {
	a := splitConcentration * share
	return logGamma(a+n) - logGamma(a) - n*math.Log(share)
}

// Split says that units were not split between the arms evenly; empty if nothing
// speaks against it.
func (c *Comparison) Split() string {
	if c.splitE < math.Log(1/splitAlpha) {
		return ""
	}
	return fmt.Sprintf("units were not split as planned: %d to control, %d to the experiment", c.assigned[0], c.assigned[1])
}
