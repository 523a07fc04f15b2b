package worlds

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"mishap"
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
		Asked:   Asked{Success: cmp.Or(margin, 0.005), NoMargin: margin == 0},
	}
	w.Asked.Baseline = max(time.Minute, time.Duration(10*from/(0.005*0.005)*float64(max(page, 1))/rate*float64(time.Second)))
	w.Asked.For = max(time.Hour, time.Duration(3e4/rate)*time.Duration(max(page, 1))*time.Second)
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
	fmt.Print("\n### Time to show harm, 100 runs, independent requests of 2,000 users, α 0.01\n\n| per arm | failures | margin | page views of | bound s | median s | mean s | mean/bound | before, mean s |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, c := range []struct {
		rate, to, margin, before float64
		page                     int
	}{
		{1, 0.05, 0.005, 1549, 1}, {2, 0.05, 0.005, 0, 1}, {5, 0.05, 0.005, 100, 1}, {17, 0.05, 0.005, 0, 1}, {50, 0.05, 0.005, 6.4, 1}, {83, 0.05, 0.005, 0, 1}, {400, 0.05, 0.005, 0, 1},
		{1, 0.05, 0, 0, 1}, {5, 0.05, 0, 0, 1}, {50, 0.05, 0, 0, 1}, {400, 0.05, 0, 0, 1},
		{1, 0.2, 0.005, 288, 1}, {5, 0.2, 0.005, 18, 1}, {50, 0.2, 0.005, 1.15, 1},
		{2, 1, 0.005, 0, 1}, {17, 1, 0.005, 0, 1}, {50, 1, 0.005, 0, 1}, {83, 1, 0.005, 0, 1},
		{50, 0.01, 0, 143, 1},
		{2, 0.05, 0.005, 0, 3}, {5, 0.05, 0.005, 0, 3}, {50, 0.05, 0.005, 0, 3}, {400, 0.05, 0.005, 0, 3},
	} {
		w := timed(c.rate, 0.005, c.to, c.margin, c.page)
		list, others := times(t, w, mishap.Deviated, 100)
		bound := Bound(0.005, c.to, c.margin, c.rate, 0.01) * float64(c.page)
		before := "–"
		if c.before > 0 {
			before = fmt.Sprintf("%.3g", c.before)
		}
		fmt.Printf("| %g/s | 0.5 → %g %% | %g pp | %d | %.3g | %.3g | %.3g | %.2f | %s |\n", c.rate, 100*c.to, 100*c.margin, c.page, bound, at(list, 0.5), mean(list), mean(list)/bound, before)
		if others > atMost(100, 0.01) {
			t.Errorf("%s: %d of 100 runs did not deviate", w.Name, others)
		}
		if slices.Contains([]float64{2, 5}, c.rate) && c.to == 0.05 && mean(list) > 2*bound {
			t.Errorf("%s: %.3g s is more than twice the bound", w.Name, mean(list))
		}
		if c.before > 0 && c.rate == 50 && c.to == 0.05 && at(list, 0.5) > 1.5*c.before {
			t.Errorf("%s: %.3g s is more than 1.5 times what it took before", w.Name, at(list, 0.5))
		}
		if c.rate >= 50 && c.to == 1 && at(list, 1) > 1 {
			t.Errorf("%s: %.3g s, and a second at most", w.Name, at(list, 1))
		}
	}
}

// Times to clear, beside the bound, what is foreseen by `plan` and by the baseline, and what the version before took.
func TestBenchClear(t *testing.T) {
	bench(t)
	fmt.Print("\n### Time to clear success alone, 100 runs (50 below 5/s) without harm, 0.5 % failing, α 0.01\n\n| per arm | margin | page views of | bound s | foreseen by plan, mean s | by the baseline | measured: median s | mean s | p90 s | foreseen/median | given up | before, mean s |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, c := range []struct {
		rate, margin float64
		page         int
		before       float64
	}{
		{1, 0.005, 1, 22870}, {2, 0.005, 1, 6892}, {5, 0.005, 1, 1698}, {20, 0.005, 1, 0}, {50, 0.005, 1, 90}, {100, 0.005, 1, 0}, {400, 0.005, 1, 0},
		{1, 0.005, 3, 0}, {2, 0.005, 3, 0}, {5, 0.005, 3, 0}, {20, 0.005, 3, 0}, {50, 0.005, 3, 0}, {100, 0.005, 3, 0}, {400, 0.005, 3, 0},
		{1, 0.02, 1, 2479}, {2, 0.02, 1, 679}, {5, 0.02, 1, 143}, {50, 0.02, 1, 9.2},
	} {
		w := timed(c.rate, 0.005, 0.005, c.margin, c.page)
		n := 100
		if c.rate < 5 {
			n = 50
		}
		f := forecast(t, w, c.rate, n)
		before := "–"
		if c.before > 0 {
			before = fmt.Sprintf("%.4g", c.before)
		}
		median := at(f.held, 0.5)
		fmt.Printf("| %g/s | %g pp | %d | %.3g | %.3g | %.3g | %.3g | %.3g | %.3g | %.2f | %d | %s |\n", c.rate, 100*c.margin, c.page,
			Bound(0.005, 0.005, c.margin, c.rate, 0.01)*float64(c.page), f.plan, f.baseline, median, mean(f.held), at(f.held, 0.9), f.plan/median, f.givenUp, before)
		if others := n - len(f.held); others > n/20 {
			t.Errorf("%s: %d of %d runs did not clear", w.Name, others, n)
		}
		f.check(t, w)
		if c.rate == 50 && c.margin == 0.005 && c.page == 1 && mean(f.held) > 100 {
			t.Errorf("%s: %.3g s, and 100 at most", w.Name, mean(f.held))
		}
	}
}
