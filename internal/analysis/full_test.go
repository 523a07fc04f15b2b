package analysis

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"time"
)

// full skips what only `make bench-analysis` measures.
func full(t *testing.T) {
	t.Helper()
	if os.Getenv("MISHAP_ANALYSIS") != "full" {
		t.Skip("measured by make bench-analysis")
	}
}

// row prints one measured number beside its goals, and fails if the first is
// missed. moonshot 0 is none.
func row(t *testing.T, what, measured string, value, most, moonshot float64) {
	t.Helper()
	far := "-"
	if moonshot > 0 {
		far = fmt.Sprintf("%.4g", moonshot)
		if value <= moonshot {
			far += " met"
		}
	}
	verdict := "held"
	if value > most {
		verdict = "MISSED"
		t.Errorf("%s: %.4g is more than %.4g", what, value, most)
	}
	fmt.Printf("| %s | %s | %.4g | %s | %s |\n", what, measured, most, verdict, far)
}

func head(title string) {
	fmt.Printf("\n### %s\n\n| case | measured | goal | | moonshot |\n|---|---|---|---|---|\n", title)
}

const nullRuns = 10_000

func TestFullB1FalseAborts(t *testing.T) {
	full(t)
	head(fmt.Sprintf("B1: share of runs aborted without harm, %d runs of 1800 looks, alpha .01", nullRuns))
	measure := func(what string, x trial) {
		times, _ := x.ended(nullRuns, 7)
		s := share(times)
		row(t, what, fmt.Sprintf("%.4f ± %.4f", s, math.Sqrt(s*(1-s)/nullRuns)), s, 0.013, 0)
	}
	for _, p := range []float64{0.0005, 0.005, 0.05, 0.3} {
		measure(fmt.Sprintf("failures, p = %g %%", 100*p), failing{p: p, harm: 1}.trial())
	}
	measure("failures, p = 0.5 %, requests drawn, 0.2 s looks", failing{p: 0.005, harm: 1, drawn: true, width: 200 * time.Millisecond}.trial())
	measure("failures, p = 0.5 %, boosted", failing{p: 0.005, harm: 1, boost: true}.trial())
	measure("failures, p = 30 %, boosted", failing{p: 0.3, harm: 1, boost: true}.trial())
	measure("failures, p = 0.5 %, boosted, requests drawn, 0.2 s looks", failing{p: 0.005, harm: 1, boost: true, drawn: true, width: 200 * time.Millisecond}.trial())
	measure("events 50:50", counting{ratio: 1}.trial())
	measure("events 50:50, time of day ±60 %", counting{ratio: 1, season: true}.trial())
	measure("events 10:90", counting{ratio: 1, q: 0.1}.trial())
	measure("events 10:90, time of day, more is harm", counting{ratio: 1, q: 0.1, season: true, direction: Increase}.trial())
	measure("events 50:50, boosted", counting{ratio: 1, boost: true}.trial())
	measure("latency, baseline 60 s", slowing{sigma: 0.5, baseline: 60}.trial())
}

func TestFullB1FalseClears(t *testing.T) {
	full(t)
	head(fmt.Sprintf("B1: share of runs cleared with harm exactly at the margin, %d runs, beta .01", nullRuns))
	measure := func(what string, x trial) {
		x.clear = true
		times, _ := x.ended(nullRuns, 8)
		s := share(times)
		row(t, what, fmt.Sprintf("%.4f ± %.4f", s, math.Sqrt(s*(1-s)/nullRuns)), s, 0.013, 0)
	}
	difference := func(p, d float64) trial {
		return failing{p: p, usual: p, margin: Margin{Difference: d}}.trial()
	}
	ratio := func(p, r float64) trial {
		return failing{p: p, usual: p, harm: r, margin: Margin{Ratio: r}}.trial()
	}
	measure("failures .5 %, +0.5 pp", difference(0.005, 0.005))
	measure("failures .5 %, +4.5 pp", difference(0.005, 0.045))
	measure("failures 2 %, +1 pp", difference(0.02, 0.01))
	measure("failures .5 %, x2", ratio(0.005, 2))
	measure("failures 2 %, x1.5", ratio(0.02, 1.5))
	measure("events -5 %", counting{ratio: 0.95, margin: 0.95}.trial())
	measure("events -20 %", counting{ratio: 0.8, margin: 0.8}.trial())
	measure("latency, five bins (x1.19^5 = 2.38)", slowing{sigma: 0.5, shift: math.Pow(2, 1.25), margin: 2.38, looks: 200}.trial())
}

const harmRuns = 2000

// detection measures mean and spread of the time to abort beside the bound.
func detection(t *testing.T, what string, x trial, bound, most, moonshot float64) (mean_, p90 float64) {
	t.Helper()
	x.looks = 50_000
	times, _ := x.ended(harmRuns, 9)
	m := mean(times)
	row(t, what, fmt.Sprintf("%.3g s (p90 %.3g) / %.3g s = %.2f", m, quantile(times, 0.9), bound, m/bound), m/bound, most, moonshot)
	return m, quantile(times, 0.9)
}

func TestFullB2Detection(t *testing.T) {
	full(t)
	head(fmt.Sprintf("B2: mean time to abort over the bound of any test, %d runs, alpha .01, harm from 0 s", harmRuns))
	fifth, tenth := 200*time.Millisecond, 100*time.Millisecond
	errors := func(name string, f failing, most, moonshot float64) {
		f.p, f.usual = 0.005, 0.005
		for _, variant := range []struct {
			name         string
			drawn, boost bool
		}{{"", false, false}, {", boosted", false, true}, {", drawn", true, false}, {", drawn, boosted", true, true}} {
			f.drawn, f.boost = variant.drawn, variant.boost
			detection(t, fmt.Sprintf("failures %s, %s%s", name, orElse(f.width, time.Second), variant.name), f.trial(), f.bound(), most, moonshot)
		}
	}
	errors("x1.5", failing{harm: 1.5}, 1.35, 1.2)
	errors("x2", failing{harm: 2}, 1.35, 1.2)
	errors("x4", failing{harm: 4}, 1.45, 1.25)
	errors("x10", failing{harm: 10}, 1.65, 0)
	errors("x10", failing{harm: 10, width: fifth}, 1.45, 1.3)
	errors("x40", failing{harm: 40, width: fifth}, 1.65, 0)
	errors("x40", failing{harm: 40, width: tenth}, 1.65, 1.4)
	for _, c := range []struct {
		name           string
		c              counting
		most, moonshot float64
	}{
		{"-5 %, 1 s", counting{ratio: 0.95}, 1.5, 1.3}, {"-10 %, 1 s", counting{ratio: 0.9}, 1.5, 1.3},
		{"-20 %, 1 s", counting{ratio: 0.8}, 1.6, 1.3}, {"-20 %, 0.1 s", counting{ratio: 0.8, width: tenth}, 1.45, 1.3},
	} {
		detection(t, "events "+c.name, c.c.trial(), c.c.bound(), c.most, c.moonshot)
		c.c.boost = true
		detection(t, "events "+c.name+", boosted", c.c.trial(), c.c.bound(), c.most, c.moonshot)
	}
	for _, c := range []struct {
		name           string
		s              slowing
		most, moonshot float64
	}{
		{"+10 %, sigma .5", slowing{sigma: 0.5, shift: 1.1}, 1.75, 1.45}, {"+10 %, sigma 1", slowing{sigma: 1, shift: 1.1}, 1.75, 1.45},
		{"+50 %, sigma .5, 0.2 s", slowing{sigma: 0.5, shift: 1.5, width: fifth}, 1.95, 1.6},
		{"2 % of requests x10, sigma .5", slowing{sigma: 0.5, share: 0.02, factor: 10}, 2.1, 1.75},
	} {
		c.s.baseline = 60
		detection(t, "latency "+c.name, c.s.trial(), c.s.bound(), c.most, c.moonshot)
	}
}

func TestFullB2Clearing(t *testing.T) {
	full(t)
	head(fmt.Sprintf("B2: mean time to clear over the bound, %d runs, beta .01, no harm", harmRuns))
	measure := func(what string, x trial, w walk) {
		x.clear = true
		bound := level01 / w.drift
		most, moonshot := 1.2, 1.08
		if bound < 20 {
			most, moonshot = 1.4, 0
		}
		detection(t, what, x, bound, most, moonshot)
	}
	for _, c := range []struct{ p, d, r float64 }{{0.005, 0.005, 2}, {0.005, 0.01, 3}, {0.0005, 0.001, 3}, {0.02, 0.01, 1.5}} {
		b := newBet(2)
		b.setDifference(1, 1, c.p, c.p, c.d)
		measure(fmt.Sprintf("failures %.3g %%, +%.3g pp", 100*c.p, 100*c.d), failing{p: c.p, usual: c.p, harm: 1, margin: Margin{Difference: c.d}}.trial(), walkOf(b, parted(50, c.p), parted(50, c.p)))
		b = newBet(2)
		b.setMargin(1, 1, c.r, 0.5)
		measure(fmt.Sprintf("failures %.3g %%, x%.3g", 100*c.p, c.r), failing{p: c.p, usual: c.p, harm: 1, margin: Margin{Ratio: c.r}}.trial(), walkOf(b, parted(50, c.p), parted(50, c.p)))
	}
	for _, r := range []float64{0.95, 0.9, 0.8} {
		b := newBet(1)
		b.setMargin(0, 1, r, 0.5)
		measure(fmt.Sprintf("events %.0f %%", 100*(r-1)), counting{ratio: 1, margin: r}.trial(), walkOf(b, []float64{50}, []float64{50}))
	}
}

func TestFullB2LateOnset(t *testing.T) {
	full(t)
	const onset = 300
	head(fmt.Sprintf("B2: mean delay over the bound, harm from %d s on, %d runs", onset, harmRuns))
	measure := func(what string, x trial, bound float64) {
		x.looks = 50_000
		times, _ := x.ended(harmRuns, 10)
		var delays []float64
		for _, s := range times {
			if s > onset {
				delays = append(delays, s-onset)
			}
		}
		most, moonshot := 2.2, 1.8
		if bound <= 100 {
			most, moonshot = 3, 2.3
		}
		if bound < 1.5 {
			most, moonshot = 4, 3
		}
		row(t, what, fmt.Sprintf("%.3g s / %.3g s = %.2f", mean(delays), bound, mean(delays)/bound), mean(delays)/bound, most, moonshot)
	}
	for _, boost := range []bool{false, true} {
		name := map[bool]string{true: ", boosted"}[boost]
		for _, harm := range []float64{2, 4, 10, 40} {
			f := failing{p: 0.005, usual: 0.005, harm: harm, onset: onset, boost: boost}
			measure(fmt.Sprintf("failures x%g%s", harm, name), f.trial(), f.bound())
		}
		for _, r := range []float64{0.95, 0.8, 0.5} {
			c := counting{ratio: r, onset: onset, boost: boost}
			measure(fmt.Sprintf("events %.0f %%%s", 100*(r-1), name), c.trial(), c.bound())
		}
	}
}

// alarm is today's practice: minutes with more than 2 % failures, three in a row.
func alarm(r *rand.Rand, p float64) float64 {
	good, bad := newArm(50, 0.005), newArm(50, p)
	onset, bads := r.IntN(60), 0
	for minute := 0; ; minute++ {
		var total Arm
		for s := range 60 {
			if 60*minute+s < onset {
				total.add(good.roll(r))
			} else {
				total.add(bad.roll(r))
			}
		}
		if float64(total.Requests-total.Successes) <= 0.02*float64(total.Requests) {
			bads = 0
		} else if bads++; bads == 3 {
			return float64(60*(minute+1) - onset)
		}
	}
}

func TestFullB3Practice(t *testing.T) {
	full(t)
	head("B3: share of the time that an alarm of 3 of 3 minutes above 2 % takes, 0.2 s looks")
	for _, c := range []struct{ harm, faster float64 }{{10, 20}, {40, 80}} {
		f := failing{p: 0.005, harm: c.harm, width: 200 * time.Millisecond}
		times, _ := f.trial().ended(harmRuns, 11)
		r, theirs := seeded(12), 0.0
		for range 200 {
			theirs += alarm(r, f.p*f.harm) / 200
		}
		ours := mean(times)
		row(t, fmt.Sprintf("0.5 -> %g %%", 0.5*c.harm), fmt.Sprintf("%.3g s against %.0f s: %.0f times as fast", ours, theirs, theirs/ours), ours/theirs, 1/c.faster, 0)
	}
}

func TestFullB5BlastRadius(t *testing.T) {
	full(t)
	head("B5: mean extra failed requests at abort, baseline .5 %, 50 requests/s per arm")
	for _, harm := range []float64{2, 4, 10, 40, 100} {
		for _, boost := range []bool{false, true} {
			f := failing{p: 0.005, harm: harm, boost: boost, width: 200 * time.Millisecond, looks: 50_000}
			times, failed := f.trial().ended(harmRuns, 13)
			extra := mean(failed) - 50*f.p*mean(times)
			row(t, fmt.Sprintf("x%g, 0.2 s%s", harm, map[bool]string{true: ", boosted"}[boost]), fmt.Sprintf("%.1f", extra), extra, 35, 0)
		}
	}
}
