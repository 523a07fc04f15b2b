package analysis

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"mishap/internal/slots"
)

// made is a book with so many units per arm, each with a request a second: p0 of
// them fail in a baseline of a minute, and then as fails says of an arm and a
// second.
type made struct {
	units    int
	baseline time.Duration
	hold     time.Duration
	p0       float64
	fails    func(e bool, second int) float64
	rows     []slots.Row
	trials   bool
}

func same(p float64) func(bool, int) float64 { return func(bool, int) float64 { return p } }

func (m made) book(t testing.TB) *slots.Book {
	t.Helper()
	if m.rows == nil {
		m.rows = []slots.Row{{Name: "success-rate"}}
	}
	b, err := slots.NewBook(0, m.rows, begin)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 3))
	m.seconds(b, r, begin, m.baseline, func(bool, int) float64 { return m.p0 })
	at := b.Inject(begin.Add(m.baseline))
	m.seconds(b, r, at, m.hold, m.fails)
	b.Close(at.Add(m.hold))
	return b
}

func (m made) seconds(b *slots.Book, r *rand.Rand, from time.Time, long time.Duration, fails func(bool, int) float64) {
	for second := range int(long.Seconds()) {
		came := from.Add(time.Duration(second) * time.Second)
		for _, arm := range []slots.Arm{slots.Control, slots.Experiment} {
			for unit := range m.units {
				y := uint32(boolInt(r.Float64() < fails(arm == slots.Experiment, second)))
				p := slots.Place{Arm: arm, Slot: uint32(unit)}
				b.Add(p, came, slots.Count{Row: 0, N: 1, Y: y})
				if m.trials {
					b.Trial(p, came, y == 1)
				}
			}
		}
	}
}

// judged is a comparison that took the book in at once, and looks at its end.
func judged(t *testing.T, p Plan, m made) (*Comparison, Status) {
	t.Helper()
	c, err := New(p)
	if err != nil {
		t.Fatal(err)
	}
	b := m.book(t)
	s := b.Snapshot(0)
	if err := c.Begin(s.Injected); err != nil {
		t.Fatal(err)
	}
	if err := c.Take("", s); err != nil {
		t.Fatal(err)
	}
	return c, c.Status(s.UpTo)
}

var healthy = made{units: 100, baseline: time.Minute, hold: 2 * time.Minute, p0: 0.005, fails: same(0.005)}

func planOf(m ...Metric) Plan { return Plan{Metrics: m} }

func TestNoHarmIsHeldForAsLongAsItWasSeen(t *testing.T) {
	_, s := judged(t, planOf(success(0.005)), healthy)
	if s.Decision.Outcome != Held || s.In != 2*time.Minute || !strings.Contains(s.Decision.Reason, "2m0s") {
		t.Errorf("%+v, doubts %v", s.Decision, s.Doubts)
	}
	if r := s.Rows[0]; r.State != Within || !(r.High < r.Margin) || !r.Newest || !r.Clears {
		t.Errorf("%+v", r)
	}
}

func TestHarmBeyondTheMarginDeviates(t *testing.T) {
	m := healthy
	m.fails = func(e bool, _ int) float64 { return 0.005 + 0.05*float64(boolInt(e)) }
	_, s := judged(t, planOf(success(0.005)), m)
	if s.Decision.Outcome != Deviated || s.Decision.Row == nil || s.Decision.Row.State != Beyond || !(s.Decision.Row.Low > 0.005) {
		t.Errorf("%+v", s.Decision)
	}
	if !strings.Contains(s.Decision.Reason, "at least") {
		t.Error(s.Decision.Reason)
	}
}

// TestHarmWithinTheMarginNeitherStopsNorPrevents: the margin is a tolerance on
// both sides.
func TestHarmWithinTheMarginNeitherStopsNorPrevents(t *testing.T) {
	m := healthy
	m.units, m.hold = 400, 4*time.Minute
	m.fails = func(e bool, _ int) float64 { return 0.005 + 0.005*float64(boolInt(e)) }
	_, s := judged(t, planOf(success(0.02)), m)
	if s.Decision.Outcome != Held || !s.Rows[0].Shown {
		t.Errorf("%+v %+v, doubts %v", s.Decision, s.Rows[0], s.Doubts)
	}
}

func TestFirstRequestsShowHarmAtOnce(t *testing.T) {
	m := made{units: 25, baseline: time.Minute, hold: time.Second, p0: 0, trials: true,
		fails: func(e bool, _ int) float64 { return float64(boolInt(e)) }}
	_, s := judged(t, planOf(success(0.005)), m)
	if s.Decision.Outcome != Deviated || s.Decision.Row.Of != FirstRequests {
		t.Fatalf("%+v", s.Decision)
	}
	if r := s.First; r.Experiment.Bad != 25 || r.Control.Bad != 0 || !(r.Low > 0.1) {
		t.Errorf("%+v", r)
	}
}

func TestLateHarmIsFoundInAWindowOrKeepsFromHeld(t *testing.T) {
	m := healthy
	m.hold = 5 * time.Minute
	m.fails = func(e bool, second int) float64 { return 0.005 + 0.02*float64(boolInt(e && second >= 240)) }
	_, s := judged(t, planOf(success(0.005)), m)
	if s.Decision.Outcome != Deviated || s.Decision.Row.Since.IsZero() {
		t.Errorf("%+v", s.Decision)
	}
	m.fails = func(e bool, second int) float64 { return 0.005 + 0.006*float64(boolInt(e && second >= 200)) }
	_, s = judged(t, planOf(success(0.005)), m)
	if s.Decision.Outcome == Held {
		t.Errorf("held with harm in the newest third: %+v", s.Rows[0])
	}
}

func TestHarmToBothArmsIsNeverHarmNorHeld(t *testing.T) {
	m := healthy
	m.fails = same(0.03)
	_, s := judged(t, planOf(success(0.005)), m)
	if s.Decision.Outcome != Inconclusive || s.Decision.Cause != BothChanged || s.Decision.Guard.Both {
		t.Errorf("%+v", s.Decision)
	}
	m.fails = same(0.0095) // too little to be sure of
	_, s = judged(t, planOf(success(0.005)), m)
	if s.Decision.Outcome != Continue || !has(s.Doubts, ChangeDoubt) {
		t.Errorf("%+v, doubts %v", s.Decision, s.Doubts)
	}
}

func has(doubts []Doubt, k DoubtKind) bool {
	for _, d := range doubts {
		if d.Kind == k {
			return true
		}
	}
	return false
}

// TestWhatKeepsFromBeingHeld has one case for each condition.
func TestWhatKeepsFromBeingHeld(t *testing.T) {
	guarded := planOf(success(0.005))
	for name, x := range map[string]struct {
		plan Plan
		made made
		want DoubtKind
	}{
		"before atLeast":        {guarded, with(healthy, func(m *made) { m.units, m.hold = 400, 59*time.Second }), SoonDoubt},
		"too few requests":      {guarded, with(healthy, func(m *made) { m.units = 25 }), OpenDoubt},
		"few units":             {planOf(success(0.3)), with(healthy, func(m *made) { m.units = 19 }), UnitsDoubt},
		"a short baseline":      {guarded, with(healthy, func(m *made) { m.baseline = 5 * time.Second }), ShortDoubt},
		"no baseline":           {guarded, with(healthy, func(m *made) { m.baseline = 0 }), ShortDoubt},
		"a baseline that fails": {planOf(success(0.2)), with(healthy, func(m *made) { m.p0, m.fails = 0.3, same(0.3) }), FailingDoubt},
		"nothing met the fault": {Plan{Exposed: true, Metrics: []Metric{success(0.005)}}, with(healthy, func(m *made) { m.hold = 0 }), NotMetDoubt},
		"no margin":             {planOf(success(0)), healthy, NothingDoubt},
		"a row nobody counts":   {planOf(success(0.005), latency()), healthy, MissingDoubt},
		"a quantile not fixed": {planOf(latency()), with(healthy, func(m *made) {
			m.rows = []slots.Row{{Name: "latency p99"}, {Name: "latency p50"}, {Name: "latency p90"}}
		}), LimitDoubt},
		"a gap of an arm":        {planOf(success(0.05)), with(healthy, func(m *made) { m.fails = same(0.005) }), SilentDoubt},
		"nothing new for long":   {guarded, healthy, MissingDoubt},
		"counts that cannot be":  {guarded, healthy, RefusedDoubt},
		"time that is missing":   {guarded, healthy, MissingDoubt},
		"a split of what is met": {guarded, healthy, SplitDoubt},
	} {
		t.Run(name, func(t *testing.T) {
			c, s := held(t, name, x.plan, x.made)
			if s.Decision.Outcome == Held || !has(s.Doubts, x.want) {
				t.Errorf("%+v, doubts %v", s.Decision, s.Doubts)
			}
			for _, d := range s.Doubts {
				if d.Text == "" {
					t.Errorf("%s has no words", d.Kind)
				}
			}
			_ = c
		})
	}
}

func with(m made, change func(*made)) made {
	change(&m)
	return m
}

// held is judged with what the case does to the sums.
func held(t *testing.T, name string, p Plan, m made) (*Comparison, Status) {
	c, err := New(p)
	if err != nil {
		t.Fatal(err)
	}
	b := m.book(t)
	_ = c.Begin(begin.Add(m.baseline))
	end := begin.Add(m.baseline + m.hold)
	switch name {
	case "a gap of an arm", "nothing new for long":
		early := with(m, func(m *made) { m.hold = 30 * time.Second }).book(t).Snapshot(0)
		if err := c.Take("", early); err != nil {
			t.Fatal(err)
		}
		if name == "nothing new for long" {
			c.Status(early.UpTo)
			return c, c.Status(early.UpTo.Add(11 * time.Second))
		}
		early.UpTo = early.UpTo.Add(30 * time.Second)
		if err := c.Take("", early); err != nil {
			t.Fatal(err)
		}
	case "time that is missing":
		b.Miss(m.hold/10 + time.Second)
	case "counts that cannot be":
		b.Add(slots.Place{Slot: 1 << 30}, end, slots.Count{N: 1})
	case "a split of what is met":
		for unit := range uint32(400) {
			b.Add(slots.Place{Slot: 1000 + unit}, end.Add(-1), slots.Count{N: 1})
		}
	}
	if err := c.Take("", b.Snapshot(0)); err != nil {
		t.Fatal(err)
	}
	return c, c.Status(end)
}

// TestAFewBrokenUnitsAreToldOfWithTheirChance: five that fail may be there by
// chance.
func TestAFewBrokenUnitsAreToldOfWithTheirChance(t *testing.T) {
	b, err := slots.NewBook(0, []slots.Row{{Name: "success-rate"}}, begin)
	if err != nil {
		t.Fatal(err)
	}
	at := b.Inject(begin.Add(time.Minute))
	for arm := range slots.Arm(2) {
		for unit := range uint32(20) {
			bad := uint32(boolInt(arm == slots.Experiment && unit < 5))
			b.Add(slots.Place{Arm: arm, Slot: unit}, at, slots.Count{N: 10, Y: 10 * bad})
		}
	}
	b.Close(at.Add(10 * time.Second))
	c, _ := New(planOf(success(0.005)))
	if err := c.Take("", b.Snapshot(0)); err != nil {
		t.Fatal(err)
	}
	s := c.Status(at.Add(10 * time.Second))
	if !strings.Contains(texts(s.Doubts), "5 of 20 units fail for good in the experiment, 0 of 20 in control: such a split has a chance of 1 in 32") {
		t.Error(texts(s.Doubts))
	}
}

func TestTheHorizonEndsItWithItsReasons(t *testing.T) {
	p := planOf(success(0.005))
	p.Horizon = 2 * time.Minute
	_, s := judged(t, p, with(healthy, func(m *made) { m.units = 25 }))
	if d := s.Decision; d.Outcome != Inconclusive || d.Cause != HorizonCame || !strings.Contains(d.Reason, "between") {
		t.Errorf("%+v", d)
	}
}

func TestTheBudgetCountsEveryFailedRequest(t *testing.T) {
	p := planOf(success(0.5))
	p.ExtraFailures = 20
	m := healthy
	m.fails = func(e bool, _ int) float64 { return 0.002 * float64(boolInt(e)) }
	_, s := judged(t, p, m)
	if s.Decision.Cause != BudgetSpent || !(s.Extra >= 20) {
		t.Errorf("%+v, %g extra", s.Decision, s.Extra)
	}
}

// TestTheBudgetIsOfAllRequests, whether they met the fault or not.
func TestTheBudgetIsOfAllRequests(t *testing.T) {
	p := Plan{Exposed: true, ExtraFailures: 50, Metrics: []Metric{success(0.5)}}
	m := healthy
	m.rows = []slots.Row{{Name: "success-rate all"}, {Name: "success-rate"}}
	m.fails = func(e bool, _ int) float64 { return 0.005 * float64(boolInt(e)) }
	_, s := judged(t, p, m)
	if s.Decision.Cause != BudgetSpent {
		t.Errorf("%+v, %g extra", s.Decision, s.Extra)
	}
}

func TestABrokenSplitVoidsEverything(t *testing.T) {
	c, s := judged(t, planOf(success(0.005)), with(healthy, func(m *made) { m.hold = 30 * time.Second }))
	if s.Decision.Outcome != Continue {
		t.Fatalf("%+v", s.Decision)
	}
	if err := c.Assigned(1000, 1300); err != nil {
		t.Fatal(err)
	}
	if d := c.Status(begin.Add(90 * time.Second)).Decision; d.Cause != SplitBroken || d.Outcome != Inconclusive {
		t.Errorf("%+v", d)
	}
	if err := c.Assigned(-1, 0); !errors.Is(err, ErrBucket) {
		t.Errorf("-1 units: %v", err)
	}
}
