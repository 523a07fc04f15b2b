package metrics

import (
	"fmt"
	"math"

	"mishap/internal/analysis"
)

// grid is fixed bounds for exponential histograms, whose own bounds depend on
// what they have seen: powers of 2^(2^-scale), in a unit that is so many
// seconds, from about 60 µs to 128 s.
type grid struct {
	scale int
	unit  float64
}

const (
	finest    = 2   // more than four bins per doubling tell next to nothing more
	coarsest  = -2  // fewer than one bin per 16 times tell next to nothing
	shortest2 = -14 // log2 of the lowest bound in seconds
	longest2  = 7   // and of the highest
)

// newGrid makes the grid for histograms of a scale.
func newGrid(scale int, unit float64) (*grid, error) {
	if scale < coarsest {
		return nil, fmt.Errorf("%w: the histogram has become too coarse (schema %d)", analysis.ErrScheme, scale)
	}
	return &grid{scale: min(scale, finest), unit: unit}, nil
}

// ends are the numbers of the lowest and the highest bound.
func (g *grid) ends() (low, high int) {
	steps, unit2 := math.Exp2(float64(g.scale)), math.Log2(g.unit)
	const slack = 1e-9 // of logarithms
	return int(math.Ceil((shortest2-unit2)*steps - slack)), int(math.Floor((longest2-unit2)*steps + slack))
}

// empty is a histogram that counts nothing.
func (g *grid) empty() analysis.Histogram {
	low, high := g.ends()
	h := analysis.Histogram{Counts: make([]int64, high-low+2)}
	for i := low; i <= high; i++ {
		h.Bounds = append(h.Bounds, g.unit*math.Exp2(float64(i)/math.Exp2(float64(g.scale))))
	}
	return h
}

// add counts what lies below the power number upper of a scale that is at least
// as fine, and above the one before.
func (g *grid) add(h *analysis.Histogram, upper, scale int, n int64) error {
	if scale < g.scale {
		return fmt.Errorf("%w: the histogram has become coarser, from schema %d to %d", analysis.ErrScheme, g.scale, scale)
	}
	low, high := g.ends()
	merged := -(-upper >> (scale - g.scale)) // rounds up
	h.Counts[min(max(merged, low), high+1)-low] += n
	return nil
}

// scaleOf is the scale of exponential buckets of which one is (left, right].
func scaleOf(left, right float64) (scale int, ok bool) {
	exact := -math.Log2(math.Log2(right / left))
	scale = int(math.Round(exact))
	return scale, math.Abs(exact-float64(scale)) < 0.01 && scale >= -10 && scale <= 20
}
