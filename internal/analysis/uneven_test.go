package analysis

import (
	"math/rand/v2"
	"testing"
	"time"
)

// What happens to all in the baseline raises what is usual there, and both arms may
// fail as much later without being worse. What is merely uneven by chance, in views
// or of users that are unlike, is usual.
func TestABaselineWithAnIncidentSaysNothingOfBothArms(t *testing.T) {
	even := world{users: 2000, rate: 100}.failing(0.005)
	for name, x := range map[string]struct {
		w        world
		from, to time.Duration // of the incident
		want     int           // of 40 runs, at least; 0: none
	}{
		"at its beginning": {even, 2 * time.Second, 5 * time.Second, 40},
		"amidst":           {even, 20 * time.Second, 23 * time.Second, 40},
		"at its end":       {even, 57 * time.Second, time.Minute, 40},
		"even":             {even, 0, 0, 0},
		"seldom failing":   {world{users: 2000, rate: 4}.failing(0.005), 0, 0, 0},
		"views":            {world{users: 2000, rate: 100, burst: 6}.failing(0.005), 0, 0, 0},
		"views that fail":  {viewsThatFail(), 0, 0, 0},
		"unlike":           {unlike, 0, 0, 0},
		"few":              {world{users: 12, rate: 40}.failing(0.05), 0, 0, 0},
	} {
		found := 0
		for seed := range uint64(40) {
			tr := x.w.start(t, planOf(success(0.02)), seed)
			for range 120 {
				tr.fails = x.w.fails
				if in := tr.now.Sub(begin); in >= x.from && in < x.to {
					tr.fails = constant(1)
				}
				tr.step(t)
			}
			if has(tr.c.Baseline().Doubts, UnsteadyDoubt) {
				found++
			}
		}
		if found < x.want || x.want == 0 && found > 0 {
			t.Errorf("%s: seen in %d of 40 baselines, want %d", name, found, x.want)
		}
	}
}

// viewsThatFail are page views of six requests that fail together.
func viewsThatFail() world {
	n, failed := 0, false
	return world{users: 1e6, rate: 100, burst: 6, fails: func(r *rand.Rand, _ int, _ bool, _ float64) float64 {
		if n++; n%6 == 1 {
			failed = r.Float64() < 0.01
		}
		return float64(boolInt(failed))
	}}
}
