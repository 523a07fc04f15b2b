package analysis

import (
	"math"
	"math/rand/v2"
	"testing"

	"mishap/internal/slots"
)

// drawn is a claim of any kind about units of any kind.
func drawn(r *rand.Rand) *claim {
	c := &claim{margin: r.Float64() * 0.05}
	switch r.IntN(4) {
	case 1:
		c.ratio, c.margin = true, math.Log(1+r.Float64())
		c.small = c.margin
	case 2:
		c.ratio, c.poisson, c.down, c.margin = true, true, true, -math.Log(0.6+0.39*r.Float64())
		c.small = c.margin
	case 3:
		c.quantile, c.margin, c.small = true, 0, 0.002+0.1*r.Float64()
	}
	p, harm := r.Float64()*r.Float64(), 1+r.NormFloat64()*r.Float64()
	for _, m := range []*slots.Moments{&c.control, &c.experiment} {
		for range 1 + r.IntN(400) {
			u := slots.Unit{N: float64(r.IntN(20)), N0: float64(r.IntN(10))}
			own := min(p*math.Exp(r.NormFloat64()*0.5), 1)
			if m == &c.experiment {
				own = min(max(own*harm, 0), 1)
			}
			for range int(u.N) {
				u.Y += float64(boolInt(r.Float64() < own))
			}
			for range int(u.N0) {
				u.Y0 += float64(boolInt(r.Float64() < p))
			}
			if c.poisson {
				u.N, u.N0 = 1, float64(boolInt(u.N0 > 0))
			}
			m.Add(u)
		}
	}
	return c
}

// TestWhatIsShownDecides: an interval lies beyond its margin exactly if it is
// said to, and both ends are where the evidence is what it has to be.
func TestWhatIsShownDecides(t *testing.T) {
	states := map[State]int{}
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 5))
		c := drawn(r)
		var beside func(float64) float64
		if seed%3 == 0 {
			f := newFew(c)
			for i := range f.logE {
				f.logE[i] = 10 - float64(i)
			}
			beside = f.at
		}
		s := c.span(5.2, 4.6, beside, true)
		switch {
		case !(s.low <= s.estimate && s.estimate <= s.high):
			t.Fatalf("seed %d: %+v", seed, s)
		case s.beyond && s.within:
			t.Fatalf("seed %d: beyond and within: %+v", seed, s)
		case s.beyond != (s.low >= c.margin && s.harm >= 5.2) || s.within != (s.high <= c.margin && s.clear >= 4.6 && !s.beyond):
			t.Fatalf("seed %d: margin %g: %+v", seed, c.margin, s)
		}
		lo, hi := c.reach()
		if beside == nil && s.low > lo && s.low < hi && math.Abs(c.harm(s.low)-5.2) > 1e-4 {
			t.Errorf("seed %d: at the lower end %g the evidence is %g", seed, s.low, c.harm(s.low))
		}
		if s.high > s.low && s.high < hi && math.Abs(c.within(s.high)-4.6) > 1e-4 {
			t.Errorf("seed %d: at the upper end %g the evidence is %g", seed, s.high, c.within(s.high))
		}
		states[map[bool]State{s.beyond: Beyond, s.within: Within, !s.beyond && !s.within: Open}[true]]++
	}
	if len(states) != 3 || states[Beyond] < 100 || states[Within] < 100 {
		t.Errorf("the claims drawn are %v", states)
	}
}

// TestMergingUsersKeepsTheScore: slots keep T, whatever users share one.
func TestMergingUsersKeepsTheScore(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 6))
		var alone, merged claim
		for arm := range 2 {
			of := 1 + r.IntN(30)
			together := make([]slots.Unit, of)
			for range 300 {
				u := slots.Unit{N: float64(1 + r.IntN(9))}
				u.Y = float64(r.IntN(int(u.N) + 1))
				s := &together[r.IntN(of)]
				s.N, s.Y = s.N+u.N, s.Y+u.Y
				[]*slots.Moments{&alone.control, &alone.experiment}[arm].Add(u)
			}
			for _, u := range together {
				[]*slots.Moments{&merged.control, &merged.experiment}[arm].Add(u)
			}
		}
		for _, d := range []float64{-0.1, 0, 0.005, 0.3} {
			near(t, "T", merged.at(d).t, alone.at(d).t, 1e-9)
			near(t, "A", merged.at(d).a, alone.at(d).a, 1e-9)
		}
	}
}

// TestFirstRequestsStayNumbers for any margin, any order and many trials.
func TestFirstRequestsStayNumbers(t *testing.T) {
	for _, c := range []claim{{margin: 0}, {margin: 0.9}, {margin: math.Log(1.01), ratio: true}, {margin: math.Log(50), ratio: true}} {
		for _, trials := range []string{"ec", "Ec", "eC", "EC", "E", "C", "eeeeeeeeeeC"} {
			f := newFirst(&c, 4000)
			for range 3000 / len(trials) {
				if err := f.take(trials); err != nil {
					t.Fatal(err)
				}
			}
			before := math.Inf(1)
			for i := range f.grid {
				e := f.logE(i)
				if math.IsNaN(e) || math.IsInf(e, 0) || e > before+1e-9 && trials != "C" && trials != "eC" && trials != "eeeeeeeeeeC" {
					t.Errorf("margin %g, %s: log e of %g is %g, after %g", c.margin, trials, f.grid[i].t, e, before)
				}
				before = e
			}
		}
	}
	if err := newFirst(&claim{}, 2).take("eee"); err == nil {
		t.Error("more first requests than slots")
	}
}

// TestUpToFiveUnitsShowNothing, from seven on that all of them fail.
func TestUpToFiveUnitsShowNothing(t *testing.T) {
	for units, want := range map[int]Outcome{3: Continue, 5: Continue, 7: Deviated, 10: Deviated} {
		p := planOf(success(0.005))
		p.Targets = true
		m := made{units: units, p0: 0, fails: func(e bool, _ int) float64 { return float64(boolInt(e)) }}
		m.baseline, m.hold = 60e9, 8e9
		if _, s := judged(t, p, m); s.Decision.Outcome != want {
			t.Errorf("%d of each arm: %+v, row %+v", units, s.Decision, s.Rows[0])
		}
	}
}

// TestTheIntervalOfFirstRequestsDecides: 12 of 12 against 0 of 10 are at least 21
// points more.
func TestTheIntervalOfFirstRequestsDecides(t *testing.T) {
	level := -math.Log(partFirst * 0.01)
	f := newFirst(&claim{margin: 0.005}, 8192)
	if err := f.take("EcEcEcEcEcEcEcEcEcEcEE"); err != nil {
		t.Fatal(err)
	}
	if low, beyond, _ := f.low(0.005, level); !beyond || !inside(low, 0.21, 0.218) {
		t.Errorf("at least %g", low)
	}
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 9))
		c := claim{margin: 0.1 * r.Float64()}
		if seed%2 == 0 {
			c.ratio, c.margin = true, math.Log(1+r.Float64())
		}
		f := newFirst(&c, 8192)
		p := r.Float64()
		for range 400 {
			arm := slots.Arm(r.IntN(2))
			f.trial(arm, r.Float64() < p*(0.2+0.8*float64(arm)), 0.5)
			if low, beyond, any := f.low(c.margin, level); any && beyond != (low >= c.margin) {
				t.Fatalf("seed %d: beyond %v and at least %g, margin %g", seed, beyond, low, c.margin)
			}
		}
	}
}
