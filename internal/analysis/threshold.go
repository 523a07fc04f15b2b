package analysis

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Threshold is what makes an answer slow, in seconds: in control and before the
// injection more than Usual, in the experiment more than Slow. The claim that
// the quantile has grown by no more than the margin is that no more answers of
// the experiment are beyond Slow than of control are beyond Usual: exact at its
// boundary, whatever Usual is.
type Threshold struct {
	Usual, Slow float64
	// Between is the share of answers between the two.
	Between float64
}

// answersFor is how many answers a quantile needs beyond it. Of the rarest one
// will do: what is claimed is right whatever the limit is, and only its name is
// then vague.
func answersFor(q float64) float64 {
	if q >= stopsOnly {
		return 1
	}
	return 5
}

// FixThreshold finds it from answers of both arms in the first part of the
// baseline. Ratio is the margin (1.2 is a fifth slower; 0 is none), floor the
// slowdown in seconds that is none however quick the answers are. Too few
// answers for the quantile are [ErrShort].
func FixThreshold(h Histogram, q, ratio, floor float64) (Threshold, error) {
	if err := h.check(); err != nil {
		return Threshold{}, err
	}
	n := 0.0
	for _, k := range h.Counts {
		n += float64(k)
	}
	if need := answersFor(q) / math.Min(q, 1-q); n < need-1e-9 {
		return Threshold{}, fmt.Errorf("%w: %.0f answers, and %s needs %.0f", ErrShort, n, QuantileName(q), need)
	}
	x := h.quantile(q, n)
	if math.IsInf(x, 1) {
		return Threshold{}, fmt.Errorf("%w: %s lies beyond %g s", ErrShort, QuantileName(q), h.Bounds[len(h.Bounds)-1])
	}
	t := Threshold{Usual: x, Slow: max(x*max(ratio, 1), x+max(floor, 0))}
	t.Between = max(h.below(t.Slow)-h.below(t.Usual), 0) / n
	return t, nil
}

// quantile is interpolated in the logarithm within its bin.
func (h *Histogram) quantile(q, n float64) float64 {
	below := 0.0
	for i, k := range h.Counts {
		if below+float64(k) < q*n || k == 0 {
			below += float64(k)
			continue
		}
		if i == len(h.Bounds) {
			return math.Inf(1)
		}
		share := (q*n - below) / float64(k)
		if i == 0 {
			return h.Bounds[0] * max(share, 0.01)
		}
		return h.Bounds[i-1] * math.Pow(h.Bounds[i]/h.Bounds[i-1], share)
	}
	return math.Inf(1)
}

// From is where the bin begins that x is in.
func (h *Histogram) From(x float64) float64 {
	if i, _ := slices.BinarySearch(h.Bounds, x); i > 0 {
		return h.Bounds[i-1]
	}
	return 0
}

// below is how many answers took at most x.
func (h *Histogram) below(x float64) float64 {
	n, from := 0.0, 0.0
	for i, k := range h.Counts {
		if i == len(h.Bounds) {
			break
		}
		to := h.Bounds[i]
		if x >= to {
			n, from = n+float64(k), to
			continue
		}
		share := x / to
		if from > 0 {
			share = math.Log(x/from) / math.Log(to/from)
		}
		return n + float64(k)*max(share, 0)
	}
	return n
}

const (
	nearly  = 0.75 // of the margin, that bounds must at least be apart
	vaguely = 4.0  // times more or fewer answers than the quantile's, beyond a bound that stands for it
)

// FixBound is [FixThreshold] where nothing is known between the bounds of the
// histogram: both limits are such bounds, near the quantile, and no further apart
// than the margin. If there are none that nearly are, it is [ErrBounds].
func FixBound(h Histogram, q, ratio, floor float64) (Threshold, error) {
	exact, err := FixThreshold(h, q, ratio, floor)
	if err != nil {
		return exact, err
	}
	n := h.below(math.Inf(1)) + float64(h.Counts[len(h.Bounds)])
	var found Threshold
	for _, usual := range h.Bounds {
		most := max(usual*max(ratio, 1), usual+max(floor, 0)) * (1 + 1e-9)
		slow := usual
		for _, bound := range h.Bounds {
			if bound <= most {
				slow = max(slow, bound)
			}
		}
		beyond := n - h.below(usual)
		switch {
		case ratio > 1 && slow-usual < nearly*(ratio-1)*usual:
		case beyond > vaguely*(1-q)*n || vaguely*beyond < (1-q)*n || beyond > 0.9*n:
		case found.Usual == 0 || math.Abs(math.Log(usual/exact.Usual)) < math.Abs(math.Log(found.Usual/exact.Usual)):
			found = Threshold{Usual: usual, Slow: slow, Between: (h.below(slow) - h.below(usual)) / n}
		}
	}
	if found.Usual == 0 {
		return found, fmt.Errorf("%w: %s lies at %.3g s, and no two bounds about it are %.3g times apart: there are %s; add bounds, or take a larger margin",
			ErrBounds, QuantileName(q), exact.Usual, max(ratio, 1), h.about(exact.Usual))
	}
	return found, nil
}

// drifted says that so many answers without the fault, of which so many take longer
// than is usual, have much fewer such than they had when that was fixed: what would
// be compared is a rarer quantile than the one that is named, as where caches were
// cold when the baseline began.
func (r *row) drifted(n, y float64) []Doubt {
	fewer := vaguely // as odds
	if r.metric.NoTrials {
		fewer *= vaguely // bounds of others' histograms stand for the quantile vaguely already
	}
	if r.q == 0 || n*(1-r.q) < leastUnits || fewer*y*r.q >= (n-y)*(1-r.q) {
		return nil
	}
	return []Doubt{{LimitDoubt, r.name, fmt.Sprintf("%s: %s without the fault take longer than %.3g s, which was their %s when the baseline began: begin when the system is warm", r.name, percent(y/n), r.limit.Usual, QuantileName(r.q))}}
}

// about names the bounds next to a latency.
func (h *Histogram) about(x float64) string {
	i, _ := slices.BinarySearch(h.Bounds, x)
	return strings.Trim(fmt.Sprint(h.Bounds[max(i-2, 0):min(i+2, len(h.Bounds))]), "[]") + " s"
}
