package analysis

import (
	"math"
	"testing"
	"time"
)

// What docs/analysis.md measures at length (make bench-analysis), in small: the
// seeds are fixed and the bounds are three standard errors wide.

func seldom(t *testing.T, what string, x trial, runs int) {
	t.Helper()
	times, _ := x.ended(runs, 1)
	if got, most := share(times), 0.01+3*math.Sqrt(0.01*0.99/float64(runs)); got > most {
		t.Errorf("%s: %.4f of the runs, more than %.4f", what, got, most)
	}
}

func TestHealthyRunsAreSeldomAborted(t *testing.T) {
	for _, p := range []float64{0.0005, 0.005, 0.05, 0.3} {
		seldom(t, "failures", failing{p: p, harm: 1, looks: 600}.trial(), 300)
	}
	seldom(t, "boosted failures", failing{p: 0.02, harm: 1, boost: true, looks: 600}.trial(), 300)
	seldom(t, "boosted failures of drawn requests", failing{p: 0.02, harm: 1, boost: true, drawn: true, width: 200 * time.Millisecond, looks: 600}.trial(), 300)
	seldom(t, "events at 10:90 with the time of day", counting{ratio: 1, q: 0.1, season: true, looks: 600}.trial(), 300)
	seldom(t, "boosted events", counting{ratio: 1, boost: true, looks: 120}.trial(), 200)
	seldom(t, "latency", slowing{sigma: 0.5, looks: 200}.trial(), 100)
}

func TestHarmAtTheMarginIsSeldomCleared(t *testing.T) {
	seldom(t, "difference", failing{p: 0.005, margin: Margin{Difference: 0.005}, clear: true, looks: 600}.trial(), 400)
	seldom(t, "ratio", failing{p: 0.005, harm: 2, margin: Margin{Ratio: 2}, clear: true, looks: 600}.trial(), 400)
	seldom(t, "events", counting{ratio: 0.9, margin: 0.9, clear: true, looks: 600}.trial(), 400)
	seldom(t, "latency", slowing{sigma: 0.5, shift: math.Sqrt2, margin: 1.5, clear: true, looks: 100}.trial(), 100)
}

func TestHarmIsFoundNearlyAsSoonAsAnyTestCould(t *testing.T) {
	const slack = 1.15 // 200 runs
	for _, c := range []struct {
		what  string
		trial trial
		bound float64
		most  float64
	}{
		{"failures x4", failing{p: 0.005, harm: 4}.trial(), failing{p: 0.005, harm: 4}.bound(), 1.45},
		{"events -20 %", counting{ratio: 0.8}.trial(), counting{ratio: 0.8}.bound(), 1.6},
		{"boosted events -20 %", counting{ratio: 0.8, boost: true}.trial(), counting{ratio: 0.8}.bound(), 1.45},
		{"latency +10 %", slowing{sigma: 0.5, shift: 1.1, baseline: 60}.trial(), slowing{sigma: 0.5, shift: 1.1}.bound(), 1.75},
	} {
		times, _ := c.trial.ended(200, 2)
		if got := mean(times) / c.bound; got > c.most*slack {
			t.Errorf("%s: %.2f times the bound of %.1f s, more than %.2f", c.what, got, c.bound, c.most)
		}
	}
}

func TestForecastsComeTrue(t *testing.T) {
	plan := func(m Metric) Plan {
		m.Name = "m"
		return Plan{Share: 0.5, PerRequest: true, Metrics: []Metric{m}}
	}
	near := func(what string, f Forecast, err error, x trial) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
			return
		}
		times, _ := x.ended(400, 3)
		got, p90 := mean(times), quantile(times, 0.9)
		t.Logf("%-28s mean %6.1f s, forecast %6.1f; 9 of 10 %6.1f s, forecast %6.1f", what, got, f.Mean.Seconds(), p90, f.P90.Seconds())
		if r := f.Mean.Seconds() / got; r < 0.85 || r > 1.18 {
			t.Errorf("%s: mean of %.1f s, forecast %.1f", what, got, f.Mean.Seconds())
		}
		if r := f.P90.Seconds() / p90; r < 0.78 || r > 1.28 {
			t.Errorf("%s: 9 of 10 in %.1f s, forecast %.1f", what, p90, f.P90.Seconds())
		}
	}
	rates := Rates{Control: 50, Experiment: 50, Failures: 0.005}
	clear := func(m Metric, x trial) {
		f, err := ForecastClear(plan(m), "m", rates)
		near("clear "+string(m.Kind), f, err, x)
	}
	clear(Metric{Kind: SuccessRate, Margin: Margin{Difference: 0.005}}, failing{p: 0.005, harm: 1, margin: Margin{Difference: 0.005}, clear: true}.trial())
	clear(Metric{Kind: SuccessRate, Margin: Margin{Ratio: 3}}, failing{p: 0.005, harm: 1, margin: Margin{Ratio: 3}, clear: true}.trial())
	clear(Metric{Kind: EventRate, Harm: Decrease, Margin: Margin{Ratio: 0.9}}, counting{ratio: 1, margin: 0.9, clear: true}.trial())
	for _, harm := range []float64{2, 4, 10} {
		f, err := ForecastAbort(plan(Metric{Kind: SuccessRate}), "m", rates, harm)
		near("abort failures", f, err, failing{p: 0.005, harm: harm}.trial())
	}
	f, err := ForecastAbort(plan(Metric{Kind: EventRate, Harm: Decrease}), "m", rates, 0.9)
	near("abort events", f, err, counting{ratio: 0.9}.trial())
	s := slowing{sigma: 0.5, shift: 1.2, baseline: 60}
	rates.Latency = Histogram{latencyBounds(), make([]int64, len(latencyBounds())+1)}
	for i, m := range s.mass(rates.Latency.Bounds, false) {
		rates.Latency.Counts[i] = int64(3000 * m)
	}
	f, err = ForecastAbort(plan(Metric{Kind: Latency}), "m", rates, 1.2)
	near("abort latency", f, err, s.trial())
	s = slowing{sigma: 0.5, margin: 1.2, clear: true, baseline: 60}
	f, err = ForecastClear(plan(Metric{Kind: Latency, Margin: Margin{Ratio: 1.2}}), "m", rates)
	near("clear latency", f, err, s.trial())
}
