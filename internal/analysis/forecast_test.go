package analysis

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// TestTheForecastIsWhatWasMeasured: the means of the reference's table, seconds
// per requests per second and arm.
func TestTheForecastIsWhatWasMeasured(t *testing.T) {
	near(t, "information needed at 1 %", needed(0.01), 11.3, 0.01)
	near(t, "information needed at 5 %", needed(0.05), 7.65, 0.01)
	p := planOf(success(0.005))
	p.Horizon = 5 * time.Minute
	for rate, measured := range map[float64]float64{1: 4450, 2: 2320, 5: 879, 17: 278, 50: 88, 83: 51, 400: 11} {
		all, err := p.Foresee("success-rate", Traffic{PerArm: rate, Failures: 0.005})
		if err != nil {
			t.Fatal(err)
		}
		f := all[0]
		if got := f.Clear.Mean.Seconds(); got > 1.1*measured || got < measured/1.1 {
			t.Errorf("at %g per second %s are foreseen, %g s measured", rate, f.Clear.Mean, measured)
		}
		if got := f.Clear.P90.Seconds() / f.Clear.Mean.Seconds(); math.Abs(got-1.8) > 0.01 {
			t.Errorf("nine of ten within %g times", got)
		}
		if got, want := f.Baseline.Seconds(), 20*0.995/0.005/(2*rate); math.Abs(got-want) > 1 {
			t.Errorf("at %g per second the baseline is %g s, want %g", rate, got, want)
		}
		if w := f.Clear.Within(f.Clear.Mean); w < 0.4 || w > 0.7 {
			t.Errorf("%g within the mean", w)
		}
		if math.Abs(f.Needs-11.3*2*0.995/0.005/300) > 0.5 {
			t.Errorf("%g per second are needed", f.Needs)
		}
	}
	slow, _ := p.Foresee("success-rate", Traffic{PerArm: 50, Failures: 0.005, Deff: 3})
	if got := slow[0].Clear.Mean.Seconds(); math.Abs(got-270) > 5 {
		t.Errorf("with a design effect of 3: %g s", got)
	}
}

func TestWhatCannotBeForeseenIsAnError(t *testing.T) {
	p := planOf(success(0.005), latency())
	for name, x := range map[string]Traffic{"none": {}, "negative": {PerArm: -1}, "not a number": {PerArm: math.NaN()}, "no failures": {PerArm: 1}} {
		if _, err := p.Foresee("success-rate", x); !errors.Is(err, ErrShort) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := p.Foresee("latency", Traffic{PerArm: 5}); err == nil {
		t.Error("a latency of no answers is foreseen")
	}
	all, err := p.Foresee("latency", Traffic{PerArm: 50, Latency: Histogram{Bounds: []float64{0.05, 0.1, 0.2, 0.4}, Counts: []int64{300, 400, 250, 50, 0}}})
	if err != nil || len(all) != 3 || all[2].Clear.Mean <= all[0].Clear.Mean {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestTheBaselineSaysWhetherItIsEnough(t *testing.T) {
	c, _ := judged(t, planOf(success(0.005)), with(healthy, func(m *made) { m.baseline = 10 * time.Second }))
	b := c.Baseline()
	if b.Enough || len(b.Rows) != 1 || b.Rows[0].Counted != 2000 || b.Rows[0].Needed < 2000 {
		t.Errorf("%+v", b)
	}
	c, _ = judged(t, planOf(success(0.005)), healthy)
	if b := c.Baseline(); !b.Enough || len(b.Doubts) != 0 {
		t.Errorf("%+v", b)
	}
}

// TestTheBaselineRefuses what would show nothing.
func TestTheBaselineRefuses(t *testing.T) {
	short := planOf(success(0.005))
	short.Horizon = 2 * time.Minute
	busy := world{users: 4000, rate: 100}
	exposed := planOf(success(0.05))
	exposed.Exposed = true
	for name, x := range map[string]struct {
		plan Plan
		w    world
		want DoubtKind
	}{
		"a service that fails":   {planOf(success(0.05)), busy.failing(0.3), FailingDoubt},
		"no traffic":             {planOf(success(0.05)), world{users: 1, rate: 1e-9}, SilentDoubt},
		"one arm only":           {planOf(success(0.05)), world{users: 1, rate: 10}, SilentDoubt},
		"one arm, of what met":   {exposed, world{users: 1, rate: 10}, SilentDoubt},
		"too little traffic":     {short, world{users: 4000, rate: 4}.failing(0.01), HopelessDoubt},
		"nothing is counted":     {planOf(Metric{Name: "other", Kind: SuccessRate, Margin: Margin{Difference: 0.1}, Book: "another"}), busy, MissingDoubt},
		"users that stay unlike": {planOf(success(0.005)), unlike, HopelessDoubt},
	} {
		tr := x.w.start(t, x.plan, 1)
		for range 120 {
			tr.step(t)
		}
		if b := tr.c.Baseline(); !has(b.Doubts, x.want) {
			t.Errorf("%s: %+v", name, b)
		}
	}
}

func (w world) failing(p float64) world {
	w.fails = constant(p)
	return w
}

// unlike are 60 users of which every sixth fails every other time.
var unlike = world{users: 60, rate: 200, fails: func(_ *rand.Rand, user int, _ bool, _ float64) float64 {
	return 0.5 * float64(boolInt(user%6 == 0))
}}

// TestPageViewsAreForeseenAtWhatTheyTake: requests of one view fail together, and
// the baseline shows it.
func TestPageViewsAreForeseenAtWhatTheyTake(t *testing.T) {
	w := world{users: 1e6, rate: 100, burst: 6}
	failed := false
	n := 0
	w.fails = func(r *rand.Rand, _ int, _ bool, _ float64) float64 {
		if n++; n%6 == 1 {
			failed = r.Float64() < 0.01
		}
		return float64(boolInt(failed))
	}
	tr := w.start(t, planOf(success(0.01)), 1)
	for range 240 {
		tr.step(t)
	}
	b := tr.c.Baseline().Rows[0]
	if b.Deff < 5 || b.Deff > 7 || b.Clear.Never {
		t.Errorf("views of 6 have a design effect of %g, %+v", b.Deff, b.Clear)
	}
	alone, _ := planOf(success(0.01)).Foresee("success-rate", Traffic{PerArm: b.PerArm, Failures: b.Share})
	if ratio := b.Clear.Mean.Seconds() / alone[0].Clear.Mean.Seconds(); ratio < 5 || ratio > 7 {
		t.Errorf("they take %g times as long", ratio)
	}
}

// TestHopeIsGivenUpWhenUsersAreTooUnlike, long before the fault would end.
func TestHopeIsGivenUpWhenUsersAreTooUnlike(t *testing.T) {
	p := planOf(success(0.005))
	p.Horizon = time.Hour
	w := unlike
	w.baseline = 10 * time.Second // which shows little of it
	s, after := w.start(t, p, 1).run(t, nil)
	if s.Decision.Cause != NoHope || after > 10*time.Minute {
		t.Errorf("%+v after %s", s.Decision, after)
	}
	p.Horizon, p.Patient = 5*time.Minute, true
	if s, _ := w.start(t, p, 1).run(t, nil); s.Decision.Cause != HorizonCame {
		t.Errorf("a patient one: %+v", s.Decision)
	}
}
