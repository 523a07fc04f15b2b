package callers

import (
	"cmp"
	"slices"
)

// JitterKind says whether pauses are drawn, or always the same.
type JitterKind string

// The kinds.
const (
	JitterUnknown JitterKind = "unknown"
	JitterAbsent  JitterKind = "absent"
	JitterPresent JitterKind = "present"
)

// Jitter says how pauses at the same position differ.
type Jitter struct {
	Kind JitterKind `json:"kind"`
	// Form is, of present jitter: "full" (from nothing to the whole pause), "equal" (from half the pause to the whole), or
	// "part".
	Form   string  `json:"form,omitempty"`
	Spread float64 `json:"spread"`        // half the width of what is drawn, as a part of its middle
	Why    string  `json:"why,omitempty"` // of unknown
}

const (
	// The spread is read from the lower half of the pauses, from the 10th percentile to the median, as a part of the
	// median: 0.8 of it for full jitter, 0.12 for ±15 %, which is the least that is told. What a busy machine adds is never negative, so that it lies in
	// the upper half and moves the median little.
	same        = 0.055 // none
	some        = 0.11  // jitter that is added, if the shape is of jitter
	varies      = 0.25  // jitter, whatever its shape
	least       = 0.09  // jitter, if the shape is of jitter
	leastSpread = 2.0   // ms; less cannot be told from the caller's own work
	fullBelow   = 0.4   // of the median: where the 10th percentile of full jitter lies (0.2), and others' do not (0.6 of ±50 %)

	// In between the shape decides: noise is drawn out upwards (the upper half is 2.7 times the lower, or more), and
	// jitter is as wide above the median as below.
	noiseShaped, jitterShaped = 2.2, 2.0

	mixedBelow = 0.065 // the spread within requests, where those of several policies are mixed

	// leastPauses are looked at, if there are as many.
	leastPauses = 2 * judgedRequests
)

// jitter decides on the pauses of several positions together, each as a part of its position's median: of the positions
// with the longest pauses, because jitter grows with the pause and noise does not. If those do not tell, it looks for jitter
// that does not grow either: a draw that is added to each pause.
func (p *pauses) jitter(kind BackoffKind) Jitter {
	if kind == Immediate {
		return Jitter{Kind: JitterAbsent}
	}
	used, n, middle := p.longest(kind)
	if n < judgedRequests || middle == 0 {
		return Jitter{Kind: JitterUnknown, Why: "too few pauses were seen"}
	}
	d := p.drawn(used)
	j := d.judge(middle)
	if j.Kind != JitterPresent && kind != Constant && !d.mixed() {
		if added, first := p.added(); added.spread >= some && added.skew <= jitterShaped {
			j = added.judge(first)
		}
	}
	return j
}

// drawn is how pauses lie around their medians.
type drawn struct {
	low, spread float64 // the 10th percentile, and its distance from the median, as parts of the median
	skew        float64 // how much wider than that it is from the median to the 90th
	within      float64 // the same distance where each pause is a part of its own request's median; -1: not known
}

// drawn looks at the positions that are used.
func (p *pauses) drawn(used []bool) drawn {
	var parts, within []float64
	for _, own := range p.by {
		mine := p.parts(own, used)
		parts = append(parts, mine...)
		if len(mine) >= 2 {
			center := quantile(sortedCopy(mine), 0.5)
			for _, v := range mine {
				within = append(within, v/max(center, 1e-6))
			}
		}
	}
	slices.Sort(parts)
	slices.Sort(within)
	mid := max(quantile(parts, 0.5), 1e-9)
	d := drawn{low: quantile(parts, 0.1) / mid, within: -1}
	d.spread = 1 - d.low
	d.skew = (quantile(parts, 0.9)/mid - 1) / max(d.spread, 1e-9)
	if len(within) >= judgedRequests {
		d.within = quantile(within, 0.5) - quantile(within, 0.1)
	}
	return d
}

// added is how pauses lie around their medians in milliseconds, at all positions, as parts of the shortest median.
func (p *pauses) added() (d drawn, shortest float64) {
	var off []float64
	for i, gaps := range p.at {
		for _, gap := range gaps {
			off = append(off, gap-p.median[i])
		}
	}
	slices.Sort(off)
	shortest = max(slices.Min(p.median), 1e-9)
	below, above := max(-quantile(off, 0.1), 0), max(quantile(off, 0.9), 0)
	return drawn{low: 1 - below/shortest, spread: below / shortest, skew: above / max(below, 1e-9), within: -1}, shortest
}

// longest picks the positions with the longest pauses, of which there are n, and gives the longest median. Of constant
// pauses all are used.
func (p *pauses) longest(kind BackoffKind) (used []bool, n int, top float64) {
	order := make([]int, len(p.median))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p.median[b], p.median[a]) })
	used, top = make([]bool, len(order)), p.median[order[0]]
	for _, i := range order {
		if kind == Constant || n < leastPauses || p.median[i] >= top/2 {
			used[i] = true
			n += len(p.at[i])
		}
	}
	return used, n, top
}

// parts are the pauses of one request as parts of the medians.
func (p *pauses) parts(own []float64, used []bool) (list []float64) {
	for i, gap := range own {
		if i < len(p.median) && p.median[i] > 0 && used[i] {
			list = append(list, gap/p.median[i])
		}
	}
	return list
}

// mixed says whether pauses differ between requests and not within them.
func (d drawn) mixed() bool {
	return d.spread >= least && d.within >= 0 && d.within < d.spread/5 && d.within < mixedBelow
}

// judge decides, where the longest median is of so many milliseconds.
func (d drawn) judge(middle float64) Jitter {
	j := Jitter{Kind: JitterPresent, Form: "part", Spread: round2(min(d.spread/0.8, 1))}
	switch {
	case d.spread <= same, d.spread*middle <= leastSpread, d.spread < varies && d.skew >= noiseShaped:
		return Jitter{Kind: JitterAbsent, Spread: j.Spread}
	case d.spread < least, d.spread < varies && d.skew > jitterShaped:
		return Jitter{Kind: JitterUnknown, Spread: j.Spread, Why: "pauses vary by so little that it may be chance"}
	// Where each request keeps its own measure, several policies are mixed, and none of them need draw.
	case d.mixed():
		return Jitter{Kind: JitterUnknown, Spread: j.Spread, Why: "callers with different pauses are mixed: each keeps its own"}
	case d.low < fullBelow:
		j.Form = "full"
	case d.low > 0.67 && d.low < 0.8:
		j.Form = "equal"
	}
	return j
}
