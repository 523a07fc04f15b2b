package callers

import (
	"math"
	"slices"

	"mishap"
)

// Part is what a part of the requests does, where policies are mixed.
type Part struct {
	Requests int             `json:"requests"` // of those whose pauses are judged
	Kind     BackoffKind     `json:"kind"`
	First    mishap.Duration `json:"first,omitempty"`
	Words    string          `json:"words"`
}

const (
	// leastPart of the requests, and leastInPart of them, make a part.
	leastPart, leastInPart = 0.1, 4
	// apart is how far the parts must lie from each other, in standard deviations within them, at every position that is
	// compared. Of one policy, whatever its jitter, the two halves of what is drawn are never that far apart at all of
	// them (decorrelated jitter, where each pause depends on the one before, comes nearest), and of two they are.
	apart = 3.2
	// differ is by how much, as a logarithm: 1.3 times.
	differ = 0.26
	// compared is how many pauses of a request.
	compared = judgedAttempts - 1
)

// mixed tells requests that keep to different policies, each its own, or gives nil if all may be of one. A policy draws each
// pause anew, so that a short one says little of the next; where requests are of two kinds, it says which.
func (p *pauses) mixed() []bool {
	if first := p.atOnceApart(); first != nil {
		return first
	}
	level := func(own []float64) []float64 { return own }
	slope := func(own []float64) (list []float64) {
		for i := 1; i < len(own); i++ {
			list = append(list, own[i]-own[i-1])
		}
		return list
	}
	if first := p.split(level); first != nil {
		return first
	}
	return p.split(slope)
}

// atOnceApart finds requests all of whose pauses are none beside others that pause: more of either than there would be if
// it were drawn for each pause.
func (p *pauses) atOnceApart() []bool {
	short, n := make([]float64, compared), 0.0
	all, none := 0.0, 0.0
	first := make([]bool, len(p.by))
	for i, own := range p.by {
		if len(own) < compared {
			continue
		}
		n++
		k := 0
		for at, gap := range own[:compared] {
			if gap <= immediate {
				short[at]++
				k++
			}
		}
		if first[i] = k == compared; first[i] {
			all++
		}
		if k == 0 {
			none++
		}
	}
	both, neither := 1.0, 1.0
	for _, k := range short {
		both, neither = both*k/n, neither*(1-k/n)
	}
	more := func(seen, chance float64) bool {
		return seen > n*chance+grows*math.Sqrt(n*chance*(1-chance))+1
	}
	least := max(leastInPart, leastPart*n)
	if all < least || n-all < least || none < least/2 || !more(all, both) && !more(none, neither) {
		return nil
	}
	return first
}

// split tries two parts, by what it looks at of the logarithms of each request's pauses.
func (p *pauses) split(look func([]float64) []float64) []bool {
	var seen [][]float64
	var of []int
	for i, own := range p.by {
		if len(own) < compared {
			continue
		}
		seen, of = append(seen, look(logsOf(own))), append(of, i)
	}
	bound := divide(seen)
	first := make([]bool, len(p.by))
	var a, b [][]float64
	for j, v := range seen {
		if first[of[j]] = total(v) <= bound; first[of[j]] {
			a = append(a, v)
		} else {
			b = append(b, v)
		}
	}
	least := int(max(leastInPart, leastPart*float64(len(seen))))
	if len(a) < least || len(b) < least || distance(a, b) < apart {
		return nil
	}
	return first
}

func logsOf(own []float64) []float64 {
	logs := make([]float64, compared)
	for at, gap := range own[:compared] {
		logs[at] = math.Log(gap + ownWork)
	}
	return logs
}

func total(v []float64) (sum float64) {
	for _, x := range v {
		sum += x
	}
	return sum
}

// divide is the bound between two parts that leaves the least variance of the sums within them (Otsu 1979).
func divide(seen [][]float64) (bound float64) {
	var sums []float64
	all := 0.0
	for _, v := range seen {
		sums = append(sums, total(v))
		all += total(v)
	}
	slices.Sort(sums)
	best, left, n := -1.0, 0.0, float64(len(sums))
	for i, v := range sums[:max(len(sums)-1, 0)] {
		left += v
		k := float64(i + 1)
		d := left/k - (all-left)/(n-k)
		if between := k * (n - k) * d * d; between > best {
			best, bound = between, v
		}
	}
	return bound
}

// distance is the least over all positions of how far two parts lie apart there.
func distance(a, b [][]float64) float64 {
	least := math.Inf(1)
	for at := range a[0] {
		column := func(part [][]float64) (list []float64) {
			for _, v := range part {
				list = append(list, v[at])
			}
			return list
		}
		meanA, varA := spread(column(a))
		meanB, varB := spread(column(b))
		d := meanB - meanA
		if d < differ {
			return 0
		}
		least = min(least, d/math.Sqrt(max((varA+varB)/2, 1e-6)))
	}
	return least
}

func spread(list []float64) (mean, variance float64) {
	for _, v := range list {
		mean += v / float64(len(list))
	}
	for _, v := range list {
		variance += (v - mean) * (v - mean) / float64(len(list))
	}
	return mean, variance
}

// part are the pauses of those requests that are of one kind.
func (p *pauses) part(of []bool, kind bool) *pauses {
	var by [][]float64
	for i, own := range p.by {
		if len(own) >= compared && of[i] == kind {
			by = append(by, own)
		}
	}
	return arrange(by)
}

// mixture describes requests of two kinds.
func (p *pauses) mixture(first []bool) (Backoff, Jitter) {
	b := Backoff{Kind: Mixture, Gaps: p.summary()}
	for _, kind := range []bool{true, false} {
		part := p.part(first, kind)
		n := len(part.by)
		own := part.backoff()
		b.Parts = append(b.Parts, Part{Requests: n, Kind: own.Kind, First: own.First, Words: own.Words()})
	}
	return b, Jitter{Kind: JitterUnknown, Why: "callers with different policies are mixed: each keeps its own"}
}
