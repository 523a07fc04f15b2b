package analysis

import (
	"fmt"
	"math"
	"time"
)

// unlikely is beyond how many standard deviations a stretch of time is worse than
// the rest: of all stretches of a steady baseline hardly one in a thousand is.
const unlikely = 4

// uneven says that a stretch of the baseline, half of its requests at most, failed
// so much more than the rest that both arms together could become worse by the
// margin, and would not be worse than the baseline: as if something was deployed then.
func (r *row) uneven() []Doubt {
	if r.metric.Kind != SuccessRate || !r.guards || len(r.pace.base) == 0 {
		return nil
	}
	notes := append([]paced{{}}, r.pace.base...)
	all := notes[len(notes)-1]
	share := all.bad / all.n
	var found []Doubt
	least := share // in the rest
	for i, from := range notes {
		for _, to := range notes[i+1:] {
			n, bad := to.n-from.n, to.bad-from.bad
			if n <= 0 || n > all.n/2 || bad < firstBursts*all.v {
				continue
			}
			rest := (all.bad - bad) / (all.n - n)
			spread := math.Sqrt(all.v * share * (1 - share) * n * all.n / (all.n - n))
			if rest < least && r.beyond(rest, share) && bad-rest*n > unlikely*spread {
				least, found = rest, []Doubt{{UnsteadyDoubt, r.name, fmt.Sprintf("something else happened in the baseline: %s of requests failed in %s of it, and %s in the rest; what becomes of both arms could not be told from that",
					percent(bad/n), seconds(to.t-from.t).Round(100*time.Millisecond), percent(rest))}}
			}
		}
	}
	return found
}

// beyond reports whether one share is more than another by more than the margin.
func (r *row) beyond(usual, share float64) bool {
	if r.ratio {
		return share > usual*r.factor(r.margin)
	}
	return share > usual+r.margin
}
