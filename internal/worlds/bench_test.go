package worlds

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"mishap"
	"mishap/internal/analysis"
)

// bench skips what only `make bench-analysis` measures.
func bench(t *testing.T) {
	t.Helper()
	if os.Getenv("MISHAP_ANALYSIS") != "full" {
		t.Skip("measured by make bench-analysis")
	}
}

// timed is a world whose runs are long enough for its answer, with a baseline that bears it.
func timed(rate, from, to, margin float64, page int) World {
	w := World{
		Name:    fmt.Sprintf("%g/s, %g to %g %%, margin %g pp, page views of %d", rate, 100*from, 100*to, 100*margin, max(page, 1)),
		Traffic: Traffic{Rate: rate, Users: 2000, Page: page, Fails: Alike(from)},
		Asked:   Asked{Success: margin, NoMargin: margin == 0},
	}
	w.Asked.Baseline = max(time.Minute, time.Duration(10*from/(0.005*0.005)*float64(max(page, 1))/rate*float64(time.Second)))
	w.Asked.For = max(time.Hour, time.Duration(3e4/rate)*time.Second)
	if to > from {
		w.Traffic = w.Traffic.with(Change{Arm: Experiment, Adds: to - from})
	}
	return w
}

// times are how long the runs took that ended with a verdict, sorted; the others took longer.
func times(t *testing.T, w World, v mishap.Verdict, n int) (seconds []float64, others int) {
	t.Helper()
	for _, e := range ends(t, w, n) {
		if e.Verdict == v {
			seconds = append(seconds, e.After.Seconds())
		} else {
			others++
		}
	}
	slices.Sort(seconds)
	return seconds, others
}

func mean(list []float64) float64 {
	sum := 0.0
	for _, v := range list {
		sum += v
	}
	return sum / float64(max(len(list), 1))
}

func at(list []float64, q float64) float64 {
	if len(list) == 0 {
		return 0
	}
	return list[int(q*float64(len(list)-1))]
}

// Times to show harm, beside the bound of any test and what the version before took (0: not measured).
func TestBenchHarm(t *testing.T) {
	bench(t)
	fmt.Print("\n### Time to show harm, 100 runs, independent requests of 2,000 users, α 0.01\n\n| per arm | failures | margin | bound s | median s | mean s | mean/bound | before, mean s |\n|---|---|---|---|---|---|---|---|\n")
	for _, c := range []struct{ rate, to, margin, before float64 }{
		{1, 0.05, 0.005, 1549}, {2, 0.05, 0.005, 0}, {5, 0.05, 0.005, 100}, {17, 0.05, 0.005, 0}, {50, 0.05, 0.005, 6.4}, {83, 0.05, 0.005, 0}, {400, 0.05, 0.005, 0},
		{1, 0.05, 0, 0}, {5, 0.05, 0, 0}, {50, 0.05, 0, 0}, {400, 0.05, 0, 0},
		{1, 0.2, 0.005, 288}, {5, 0.2, 0.005, 18}, {50, 0.2, 0.005, 1.15},
		{2, 1, 0.005, 0}, {17, 1, 0.005, 0}, {50, 1, 0.005, 0}, {83, 1, 0.005, 0},
		{50, 0.01, 0, 143},
	} {
		w := timed(c.rate, 0.005, c.to, c.margin, 0)
		list, others := times(t, w, mishap.Deviated, 100)
		bound := Bound(0.005, c.to, c.margin, c.rate, 0.01)
		before := "–"
		if c.before > 0 {
			before = fmt.Sprintf("%.3g", c.before)
		}
		fmt.Printf("| %g/s | 0.5 → %g %% | %g pp | %.3g | %.3g | %.3g | %.2f | %s |\n", c.rate, 100*c.to, 100*c.margin, bound, at(list, 0.5), mean(list), mean(list)/bound, before)
		if others > 0 {
			t.Errorf("%s: %d of 100 runs did not deviate", w.Name, others)
		}
		if slices.Contains([]float64{2, 5}, c.rate) && c.to == 0.05 && mean(list) > 2*bound {
			t.Errorf("%s: %.3g s is more than twice the bound", w.Name, mean(list))
		}
		if c.rate == 50 && c.to == 0.05 && c.margin > 0 && at(list, 0.5) > 1.5*c.before {
			t.Errorf("%s: %.3g s is more than 1.5 times what it took before", w.Name, at(list, 0.5))
		}
		if c.rate >= 50 && c.to == 1 && at(list, 1) > 1 {
			t.Errorf("%s: %.3g s, and a second at most", w.Name, at(list, 1))
		}
	}
}

// Times to clear, beside the bound, the forecast and what the version before took.
func TestBenchClear(t *testing.T) {
	bench(t)
	fmt.Print("\n### Time to clear success alone, 100 runs without harm, 0.5 % failing, α 0.01\n\n| per arm | margin | page views of | bound s | mean s | p90 s | forecast mean s | measured/forecast | before, mean s |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, c := range []struct {
		rate, margin float64
		page         int
		before       float64
	}{
		{1, 0.005, 0, 22870}, {2, 0.005, 0, 6892}, {5, 0.005, 0, 1698}, {17, 0.005, 0, 0}, {50, 0.005, 0, 90}, {83, 0.005, 0, 0}, {400, 0.005, 0, 0},
		{1, 0.02, 0, 2479}, {2, 0.02, 0, 679}, {5, 0.02, 0, 143}, {50, 0.02, 0, 9.2},
		{50, 0.005, 3, 0}, {400, 0.005, 3, 0},
	} {
		w := timed(c.rate, 0.005, 0.005, c.margin, c.page)
		w.Asked.AtLeast = time.Second
		deff := float64(max(c.page, 1))
		seen, err := w.Asked.withDefaults().plan().Foresee(success, analysis.Traffic{PerArm: c.rate, Failures: 0.005, Deff: deff})
		if err != nil {
			t.Fatal(err)
		}
		forecast := seen[0].Clear.Mean.Seconds()
		list, others := times(t, w, mishap.Held, 100)
		before := "–"
		if c.before > 0 {
			before = fmt.Sprintf("%.4g", c.before)
		}
		fmt.Printf("| %g/s | %g pp | %d | %.3g | %.3g | %.3g | %.3g | %.2f | %s |\n", c.rate, 100*c.margin, max(c.page, 1),
			Bound(0.005, 0.005, c.margin, c.rate, 0.01)*deff, mean(list), at(list, 0.9), forecast, mean(list)/forecast, before)
		if others > 5 {
			t.Errorf("%s: %d of 100 runs did not clear", w.Name, others)
		}
		if ratio := mean(list) / forecast; ratio > 1.5 || ratio < 1/1.5 {
			t.Errorf("%s: measured %.3g s, forecast %.3g s", w.Name, mean(list), forecast)
		}
		if c.rate == 50 && c.margin == 0.005 && c.page == 0 && mean(list) > 100 {
			t.Errorf("%s: %.3g s, and 100 at most", w.Name, mean(list))
		}
	}
}
