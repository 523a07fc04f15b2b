package analysis

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"mishap/internal/slots"
)

var simRuns = flag.Int("sim", 0, "runs per world of the measurements; 0: none")

type tally struct {
	n       int
	outcome map[string]int
	times   map[Outcome][]float64
}

func (w world) measure(t *testing.T, name string, p Plan, n int) tally {
	t.Helper()
	a := tally{n: n, outcome: map[string]int{}, times: map[Outcome][]float64{}}
	limits := map[string]Threshold{}
	if w.took != nil {
		limits = limitsOf(0.1, 0.5, "latency")
	}
	for seed := range n {
		s, after := w.start(t, p, uint64(seed)+9173).run(t, limits)
		d := s.Decision
		key := string(d.Outcome) + "/" + string(d.Cause)
		if d.Row != nil {
			key += "/" + d.Row.Metric + QuantileName(d.Row.Quantile) + "/" + string(d.Row.Of)
			if !d.Row.Since.IsZero() {
				key += "window"
			}
		}
		if d.Cause == HorizonCame {
			for _, x := range s.Doubts {
				key += " " + string(x.Kind)
				break
			}
		}
		a.outcome[key]++
		a.times[d.Outcome] = append(a.times[d.Outcome], after.Seconds())
	}
	text := ""
	for _, o := range []Outcome{Deviated, Held, Inconclusive} {
		x := a.times[o]
		if len(x) == 0 {
			continue
		}
		slices.Sort(x)
		sum := 0.0
		for _, v := range x {
			sum += v
		}
		text += fmt.Sprintf(" %s %.3f (mean %.1f, median %.1f)", o, float64(len(x))/float64(n), sum/float64(len(x)), x[len(x)/2])
	}
	t.Logf("%-28s%s %v", name, text, a.outcome)
	return a
}

func constant(p float64) func(*rand.Rand, int, bool, float64) float64 {
	return func(*rand.Rand, int, bool, float64) float64 { return p }
}

func TestSimulations(t *testing.T) {
	if *simRuns == 0 {
		t.Skip("asked for by -sim")
	}
	alone := Plan{Horizon: 5 * time.Minute, Metrics: []Metric{success(0.005)}}
	both := Plan{Horizon: 5 * time.Minute, Metrics: []Metric{success(0.005), latency()}}
	harm := func(e float64) func(*rand.Rand, int, bool, float64) float64 {
		return func(_ *rand.Rand, _ int, exp bool, at float64) float64 {
			if exp && at >= 0 {
				return e
			}
			return 0.005
		}
	}
	n := *simRuns
	world{users: 2000, rate: 100, fails: constant(0.005)}.measure(t, "equal, alone", alone, n)
	world{users: 2000, rate: 100, fails: constant(0.005), took: lognormal(0.1, 0.5)}.measure(t, "equal, both", both, n)
	world{users: 2000, rate: 100, fails: harm(0.05)}.measure(t, "5 %", alone, n)
	world{users: 2000, rate: 100, fails: harm(1)}.measure(t, "100 %", alone, n)
	world{users: 2000, rate: 100, fails: harm(0.015)}.measure(t, "+1 pp", alone, n)
	world{users: 400, rate: 100, fails: func(_ *rand.Rand, u int, _ bool, _ float64) float64 { return 0.2 * float64(boolInt(u%50 == 0)) }}.measure(t, "400, 2 % fail 20 %", alone, n)
	world{users: 20, rate: 100, fails: func(_ *rand.Rand, u int, _ bool, _ float64) float64 { return 0.002 * float64(u%7) }}.measure(t, "20 users", alone, n)
	world{users: 2000, rate: 100, burst: 20, fails: constant(0.005)}.measure(t, "views of 20", both, n)
	labelled := success(0.005)
	labelled.NoTrials = true // as metrics of others are, whose labels tell few slots
	few := Plan{Horizon: 5 * time.Minute, Metrics: []Metric{labelled}}
	world{users: 2000, rate: 100, slots: slots.Labels, fails: constant(0.005)}.measure(t, "labels, equal", few, n)
	world{users: 2000, rate: 100, slots: slots.Labels, fails: harm(0.05)}.measure(t, "labels, 5 %", few, n)
	labelled.Margin.Difference = 0.0002
	few.Metrics = []Metric{labelled}
	world{users: 2000, rate: 100, slots: slots.Labels, burst: 20, fails: constant(0.005)}.measure(t, "labels, views of 20, 0.02 pp", few, n)
}
