package analysis

import (
	"math/rand/v2"
	"testing"
	"time"
)

func orders(f float64) func(*rand.Rand, int, bool, float64) bool {
	return func(r *rand.Rand, _ int, e bool, at float64) bool {
		p := 0.5
		if e && at >= 0 {
			p *= f
		}
		return r.Float64() < p
	}
}

// TestEveryKindOfMetricIsHeldAndDeviates, in worlds where the answer is plain.
func TestEveryKindOfMetricIsHeldAndDeviates(t *testing.T) {
	slower := func(f float64) func(*rand.Rand, int, bool, float64) float64 {
		same := lognormal(0.1, 0.5)
		return func(r *rand.Rand, user int, e bool, at float64) float64 {
			took := same(r, user, e, at)
			if e && at >= 0 {
				took *= f
			}
			return took
		}
	}
	broken := func(e float64) func(*rand.Rand, int, bool, float64) float64 {
		return func(_ *rand.Rand, _ int, exp bool, at float64) float64 {
			if exp && at >= 0 {
				return e
			}
			return 0.02
		}
	}
	ratio := Metric{Name: "failures", Kind: SuccessRate, Margin: Margin{Ratio: 2}}
	fewer := Metric{Name: "orders", Kind: EventRate, Harm: Decrease, Margin: Margin{Ratio: 0.8}}
	more := Metric{Name: "orders", Kind: EventRate, Harm: Increase, Margin: Margin{Ratio: 1.25}}
	w := world{users: 3000, rate: 200}
	for name, x := range map[string]struct {
		m    Metric
		w    world
		want Outcome
	}{
		"a ratio, held":        {ratio, change(w, func(w *world) { w.fails = broken(0.02) }), Held},
		"a ratio, beyond":      {ratio, change(w, func(w *world) { w.fails = broken(0.08) }), Deviated},
		"latency, held":        {latency(), change(w, func(w *world) { w.took = slower(1) }), Held},
		"latency, beyond":      {latency(), change(w, func(w *world) { w.took = slower(1.5) }), Deviated},
		"fewer events, held":   {fewer, change(w, func(w *world) { w.events = orders(1) }), Held},
		"fewer events, more":   {fewer, change(w, func(w *world) { w.events = orders(1.3) }), Held},
		"fewer events, beyond": {fewer, change(w, func(w *world) { w.events = orders(0.6) }), Deviated},
		"more events, held":    {more, change(w, func(w *world) { w.events = orders(1) }), Held},
		"more events, beyond":  {more, change(w, func(w *world) { w.events = orders(1.6) }), Deviated},
	} {
		t.Run(name, func(t *testing.T) {
			p := planOf(x.m)
			p.Horizon = 10 * time.Minute
			var limits map[string]Threshold
			if x.w.took != nil {
				limits = limitsOf(0.1, 0.5, x.m.Name)
			}
			s, after := x.w.start(t, p, 4).run(t, limits)
			if s.Decision.Outcome != x.want {
				t.Fatalf("after %s: %+v, doubts %v", after, s.Decision, s.Doubts)
			}
			for _, r := range s.Rows {
				beyond := r.Low > r.Margin
				if r.Down {
					beyond = r.High < r.Margin
				}
				if beyond != (r.State == Beyond) {
					t.Errorf("what is shown contradicts: %+v", r)
				}
			}
		})
	}
}

func change(w world, by func(*world)) world {
	by(&w)
	return w
}

// TestFasterAnswersAreNoHarm: harm has one direction.
func TestFasterAnswersAreNoHarm(t *testing.T) {
	w := world{users: 3000, rate: 200, took: func(r *rand.Rand, user int, e bool, at float64) float64 {
		took := lognormal(0.1, 0.5)(r, user, e, at)
		if at >= 0 && e {
			took /= 2
		}
		return took
	}}
	p := planOf(latency())
	p.Horizon = 10 * time.Minute
	if s, _ := w.start(t, p, 4).run(t, limitsOf(0.1, 0.5, "latency")); s.Decision.Outcome != Held {
		t.Errorf("%+v", s.Decision)
	}
}

// TestHarmThatShowsAfterAClearReplacesIt, and nothing replaces harm.
func TestHarmThatShowsAfterAClearReplacesIt(t *testing.T) {
	w := world{users: 3000, rate: 200, fails: func(_ *rand.Rand, _ int, e bool, at float64) float64 {
		return 0.005 + 0.3*float64(boolInt(e && at > 120 && at < 180))
	}}
	tr := w.start(t, planOf(success(0.005)), 1)
	tr.before(t, nil)
	var seen []Outcome
	for range 600 {
		tr.step(t)
		if o := tr.c.Look(tr.now).Outcome; len(seen) == 0 || seen[len(seen)-1] != o {
			seen = append(seen, o)
		}
	}
	if len(seen) != 3 || seen[1] != Held || seen[2] != Deviated {
		t.Errorf("%v", seen)
	}
}

// TestALookDecidesAsAStatusDoes, at every look of runs of many kinds.
func TestALookDecidesAsAStatusDoes(t *testing.T) {
	for seed, harm := range []float64{0, 0.01, 0.05, 1} {
		w := world{users: 500, rate: 100, fails: func(_ *rand.Rand, _ int, e bool, at float64) float64 {
			return 0.005 + harm*float64(boolInt(e && at >= 0))
		}}
		p := planOf(success(0.005))
		p.Horizon = 100 * time.Second
		a, b := w.start(t, p, uint64(seed)), w.start(t, p, uint64(seed))
		a.before(t, nil)
		b.before(t, nil)
		for range 220 {
			a.step(t)
			b.step(t)
			look, status := a.c.Look(a.now), b.c.Status(b.now).Decision
			if look.Outcome != status.Outcome || look.Reason != status.Reason {
				t.Fatalf("harm %g: a look says %+v, a status %+v", harm, look, status)
			}
		}
	}
}
