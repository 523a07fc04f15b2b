package callers

import (
	"math"
	"slices"
)

// quantile is the value that the share q of a sorted list does not exceed, between neighbours in proportion. Of an empty
// list it is 0.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	at := q * float64(len(sorted)-1)
	low := int(math.Floor(at))
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}

// clippedShare of the values, the highest, count as their lower bound in a location. The bound is estimated too, which makes
// the error of evenly drawn values larger by clippedError than their spread says.
const (
	clippedShare = 0.2
	clippedError = 1.21
)

// location is the mean of a sorted list whose highest values are clipped, and its standard error: a long tail upwards, which
// is a busy machine and not a policy, moves neither. What is lost of the mean is the same part at all positions.
func location(sorted []float64) (mean, stderr float64) {
	if len(sorted) == 0 {
		return 0, 0
	}
	top := quantile(sorted, 1-clippedShare)
	sum, squares := 0.0, 0.0
	for _, v := range sorted {
		sum += min(v, top)
	}
	mean = sum / float64(len(sorted))
	for _, v := range sorted {
		squares += (min(v, top) - mean) * (min(v, top) - mean)
	}
	n := float64(len(sorted))
	return mean, clippedError * math.Sqrt(squares/max(n-1, 1)) / math.Sqrt(n)
}

// line is y = a + b·x, fitted with weights 1/stderr².
type line struct{ a, b, stderr, chi2 float64 }

// fit fits a line. There must be two points at least, at different x.
func fit(x, y, stderr []float64) line {
	var w, wx, wy, wxx, wxy float64
	for i := range x {
		v := 1 / (stderr[i] * stderr[i])
		w, wx, wy, wxx, wxy = w+v, wx+v*x[i], wy+v*y[i], wxx+v*x[i]*x[i], wxy+v*x[i]*y[i]
	}
	det := w*wxx - wx*wx
	l := line{a: (wxx*wy - wx*wxy) / det, b: (w*wxy - wx*wy) / det, stderr: math.Sqrt(w / det)}
	for i := range x {
		off := (y[i] - l.a - l.b*x[i]) / stderr[i]
		l.chi2 += off * off
	}
	return l
}

// level is the weighted mean of y, with its standard error.
func level(y, stderr []float64) (mean, err, chi2 float64) {
	var w, wy float64
	for i := range y {
		v := 1 / (stderr[i] * stderr[i])
		w, wy = w+v, wy+v*y[i]
	}
	mean = wy / w
	for i := range y {
		off := (y[i] - mean) / stderr[i]
		chi2 += off * off
	}
	return mean, 1 / math.Sqrt(w), chi2
}

// fits says whether a sum of squares is what chance gives in 9999 of 10000 cases (Wilson and Hilferty's approximation of
// the chi-squared distribution). With no degree of freedom everything fits.
func fits(chi2 float64, freedom int) bool {
	if freedom < 1 {
		return true
	}
	k := 2 / (9 * float64(freedom))
	return chi2 <= float64(freedom)*math.Pow(1-k+3.72*math.Sqrt(k), 3)
}

func sortedCopy(list []float64) []float64 {
	c := slices.Clone(list)
	slices.Sort(c)
	return c
}
