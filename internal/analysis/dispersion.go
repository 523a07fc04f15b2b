package analysis

import (
	"fmt"
	"math"
	"time"
)

// Dispersion is how many times the variance of independent counts the arms'
// difference had while no fault was in (A/A data), over blocks of 1 to 60 s:
//
//	phi(b) = sum of d^2 / sum of m, d = (1-q)*x - q*y over sqrt(q(1-q)), m = x+y
//
// of x counts of the experiment and y of control in blocks of b seconds; each
// phi is raised to the upper end of what so few blocks can tell, n/chi2(0.1; n);
// the largest counts, and never less than 1. Dividing log evidence by it keeps
// its bound, asymptotically (exact in the Gaussian limit), as long as what is
// compared later is no more clustered than the window was, and the window is
// long: give it an hour. Ten minutes overstate it twofold; less than that, or
// than 50 counts, is [ErrShort]. share is the experiment's of the counted exposure; counts are
// failures for a [SuccessRate]. Buckets are of equal width, 1 s or less, in
// order; a gap only joins what lies beside it.
// Source: quasi-likelihood (McCullagh 1983); docs/analysis.md for the measure.
func Dispersion(window []Bucket, share float64, count func(Arm) int64) (float64, error) {
	if !inside(share, 0, 1) {
		return 0, fmt.Errorf("measure dispersion: %w: share of %g", ErrBucket, share)
	}
	if len(window) == 0 || window[0].Width > time.Second || window[0].Width <= 0 || time.Duration(len(window))*window[0].Width < 10*time.Minute {
		return 0, fmt.Errorf("measure dispersion: %w: needs ten minutes of buckets of at most 1 s", ErrShort)
	}
	for i := range window {
		b := &window[i]
		if err := b.check(); err != nil {
			return 0, fmt.Errorf("measure dispersion: %w", err)
		}
		if b.Width != window[0].Width || i > 0 && b.Start.Before(window[i-1].end()) {
			return 0, fmt.Errorf("measure dispersion: %w: bucket %d", ErrOrder, i)
		}
	}
	if counted(window, count) < fewCounts {
		return 0, fmt.Errorf("measure dispersion: %w: needs %d counts", ErrShort, fewCounts)
	}
	phi := 1.0
	for _, seconds := range []float64{1, 2, 5, 10, 20, 30, 60} {
		phi = max(phi, dispersionOver(window, int(math.Round(seconds/window[0].Width.Seconds())), share, count))
	}
	return phi, nil
}

// fewCounts is below how many counts nothing is known of how they cluster.
const fewCounts = 50

func counted(window []Bucket, count func(Arm) int64) int64 {
	n := int64(0)
	for i := range window {
		n += count(window[i].Control) + count(window[i].Experiment)
	}
	return n
}

func dispersionOver(window []Bucket, size int, q float64, count func(Arm) int64) float64 {
	squares, total, blocks := 0.0, 0.0, 0.0
	for len(window) >= size {
		x, y := 0.0, 0.0
		for i := range size {
			x, y = x+float64(count(window[i].Experiment)), y+float64(count(window[i].Control))
		}
		d := (1-q)*x - q*y
		squares, total, blocks = squares+d*d/(q*(1-q)), total+x+y, blocks+1
		window = window[size:]
	}
	if total == 0 {
		return 0
	}
	return squares / total * blocks / chiSquareQuantile(0.1, blocks)
}
