package worlds

import (
	"slices"
	"testing"
	"time"

	"mishap"
	"mishap/internal/analysis"
)

// foreseen is what was said beforehand of runs of a world, in seconds, and what they took.
type foreseen struct {
	plan     float64   // the mean by `plan`, which knows rate and design effect
	baseline float64   // by the baselines of the runs, at their median
	held     []float64 // how long they took that were held, sorted
	givenUp  int       // as hopeless
}

// forecast lets runs without harm go on until they are cleared.
func forecast(t *testing.T, w World, rate float64, n int) (f foreseen) {
	t.Helper()
	w.Asked.AtLeast = time.Second
	seen, err := w.Asked.withDefaults().plan().Foresee(success, analysis.Traffic{PerArm: rate, Failures: usual, Deff: float64(w.Traffic.Page)})
	if err != nil {
		t.Fatal(err)
	}
	f.plan = seen[0].Clear.Mean.Seconds()
	var promised []float64
	for _, e := range ends(t, w, n) {
		promised = append(promised, e.Foreseen.Seconds())
		if e.Verdict == mishap.Held {
			f.held = append(f.held, e.After.Seconds())
		}
		if e.Reason == string(analysis.NoHope) {
			f.givenUp++
		}
	}
	slices.Sort(f.held)
	slices.Sort(promised)
	f.baseline = at(promised, 0.5)
	return f
}

// check compares them: within 1.5 times, and hope is given up of few that would be held (the best of a hundred).
func (f foreseen) check(t *testing.T, w World) {
	t.Helper()
	took := mean(f.held)
	for name, s := range map[string]float64{"plan": f.plan, "the baseline": f.baseline} {
		if ratio := s / took; !(ratio < 1.5 && ratio > 1/1.5) {
			t.Errorf("%s: %s foresees %.3g s at the mean, and it takes %.3g", w.Name, name, s, took)
		}
	}
	if most := atMost(f.givenUp+len(f.held), 0.01); f.givenUp > most {
		t.Errorf("%s: %d of %d runs were given up that would have been held", w.Name, f.givenUp, f.givenUp+len(f.held))
	}
}

// What is foreseen is what runs then take, also where requests come three at a time and fail together, and they are not given
// up before. (The table of all rates is make bench-analysis.)
func TestWhatIsForeseenIsWhatIsThenMeasured(t *testing.T) {
	for _, c := range []struct {
		rate, margin float64
		page         int
	}{{400, 0.005, 1}, {50, 0.005, 1}, {20, 0.005, 1}, {400, 0.005, 3}, {50, 0.005, 3}, {20, 0.005, 3}, {20, 0.02, 1}, {20, 0.02, 3}} {
		w := timed(c.rate, usual, usual, c.margin, c.page)
		forecast(t, w, c.rate, 40).check(t, w)
	}
}
