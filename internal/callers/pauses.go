package callers

import (
	"slices"
	"time"

	"mishap"
)

const (
	maxPositions = 16
	leastAt      = 20 // pauses at a position from the fourth on, for it to be used
)

// pauses are the pauses of many requests by their position: at[0] before their second attempts, and so on. All are in
// milliseconds.
type pauses struct {
	at        [][]float64 // sorted
	by        [][]float64 // of each request, in order
	mean, err []float64   // location, and its standard error
	median    []float64
	atOnce    bool // the first position is left out, because everybody tries a second time at once
}

// collect takes the pauses of all requests whose attempts are one after the other.
func collect(all []*request) *pauses {
	var by [][]float64
	for _, r := range all {
		if r.parallel || len(r.attempts) < 2 {
			continue
		}
		var own []float64
		for k := 1; k < len(r.attempts) && k <= maxPositions; k++ {
			own = append(own, float64(r.gap(k))/float64(time.Millisecond))
		}
		by = append(by, own)
	}
	return arrange(by)
}

// arrange sorts the pauses of requests by their position. The first positions are those that every judged request has; a
// later one is used while half as many requests got there, since those that did may differ from the others: callers with a
// deadline get further when their pauses happen to be short.
func arrange(by [][]float64) *pauses {
	p := &pauses{at: make([][]float64, maxPositions), by: by}
	for _, own := range by {
		for k, gap := range own {
			p.at[k] = append(p.at[k], gap)
		}
	}
	enough := judgedAttempts - 1
	for enough < maxPositions && len(p.at[enough]) >= max(leastAt, len(p.at[judgedAttempts-2])/2) {
		enough++
	}
	p.at = p.at[:enough]
	for _, gaps := range p.at {
		slices.Sort(gaps)
		mean, err := location(gaps)
		p.mean, p.err = append(p.mean, mean), append(p.err, err)
		p.median = append(p.median, quantile(gaps, 0.5))
	}
	return p
}

// withoutFirst leaves out a first position at which everybody tries again at once, if later there are pauses.
func (p *pauses) withoutFirst() {
	const atOnce = 4 // ms
	if p.median[0] > atOnce || p.median[1] < max(immediate, 4*p.median[0]) {
		return
	}
	p.atOnce = true
	p.at, p.mean, p.err, p.median = p.at[1:], p.mean[1:], p.err[1:], p.median[1:]
	for i := range p.by {
		p.by[i] = p.by[i][1:]
	}
}

// Gap is the pauses at one position.
type Gap struct {
	N      int             `json:"n"`
	P10    mishap.Duration `json:"p10"`
	Median mishap.Duration `json:"median"`
	P90    mishap.Duration `json:"p90"`
}

func (p *pauses) summary() []Gap {
	var all []Gap
	for _, gaps := range p.at {
		all = append(all, Gap{len(gaps), millis(quantile(gaps, 0.1)), millis(quantile(gaps, 0.5)), millis(quantile(gaps, 0.9))})
	}
	return all
}

// millis rounds to what is worth showing.
func millis(ms float64) mishap.Duration {
	d := time.Duration(ms * float64(time.Millisecond))
	if d >= 100*time.Millisecond {
		return mishap.Duration(d.Round(time.Millisecond))
	}
	return mishap.Duration(d.Round(100 * time.Microsecond))
}
