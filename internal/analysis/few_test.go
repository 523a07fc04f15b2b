package analysis

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestTheLowEndOfFewUnitsIsNotAboveTheHarm: signs are fair coins where the arm
// makes no difference, and say of a great harm only that there is one.
func TestTheLowEndOfFewUnitsIsNotAboveTheHarm(t *testing.T) {
	const harm, runs = 0.85, 200
	w := world{users: 40, rate: 20, baseline: 20 * time.Second, fails: func(_ *rand.Rand, _ int, e bool, at float64) float64 {
		if e && at >= 0 {
			return harm
		}
		return 0
	}}
	m := success(0.05)
	m.NoTrials = true
	wrong, shown := 0, 0
	for seed := range uint64(runs) {
		tr := w.start(t, Plan{Metrics: []Metric{m}}, seed)
		tr.before(t, nil)
		above, beyond := false, false
		for range 12 {
			tr.step(t)
			r := tr.c.Status(tr.now).Rows[0]
			above, beyond = above || r.Low > harm, beyond || r.State == Beyond
		}
		wrong, shown = wrong+boolInt(above), shown+boolInt(beyond)
	}
	if wrong > 8 || shown < runs*9/10 { // 2 at alpha, and 8 in one of 1,000 such tests
		t.Errorf("of %d runs %d showed harm, and %d had an interval above it", runs, shown, wrong)
	}
}
