package analysis

import (
	"errors"
	"math"
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

func TestWhatIsLostIsNeverHeld(t *testing.T) {
	for name, change := range map[string]func(*slots.Snapshot){
		"a new book":           func(s *slots.Snapshot) { s.Began = s.Began.Add(time.Second) },
		"sums that fell":       func(s *slots.Snapshot) { s.Rows[0].Control.Since = slots.Moments{} },
		"a baseline that fell": func(s *slots.Snapshot) { s.Rows[0].Control.Before = slots.Before{} },
		"another injection":    func(s *slots.Snapshot) { s.Injected = s.Injected.Add(time.Second) },
		"a row that is gone":   func(s *slots.Snapshot) { s.Rows = nil },
	} {
		c, err := New(planOf(success(0.005)))
		if err != nil {
			t.Fatal(err)
		}
		b := healthy.book(t)
		first := with(healthy, func(m *made) { m.hold = 30 * time.Second }).book(t).Snapshot(0)
		_ = c.Begin(first.Injected)
		if err := c.Take("", first); err != nil {
			t.Fatal(err)
		}
		s := b.Snapshot(0)
		s.Rows = append([]slots.RowSums(nil), s.Rows...)
		change(&s)
		if err := c.Take("", s); !errors.Is(err, ErrReset) {
			t.Errorf("%s: %v", name, err)
		}
		if d := c.Status(s.UpTo).Decision; d.Outcome != Inconclusive || d.Cause != DataLost {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

func TestWhatCannotBeIsRefusedAndChangesNothing(t *testing.T) {
	for name, change := range map[string]func(*slots.Snapshot){
		"not a number":     func(s *slots.Snapshot) { s.Rows[0].Control.Since.YY = math.NaN() },
		"infinite":         func(s *slots.Snapshot) { s.Rows[0].Experiment.Since.NY = math.Inf(1) },
		"negative":         func(s *slots.Snapshot) { s.Rows[0].Control.Before.Y = -1 },
		"more bad than of": func(s *slots.Snapshot) { s.Rows[0].Control.Since.Y = s.Rows[0].Control.Since.N + 1 },
		"a window of none": func(s *slots.Snapshot) { s.Windows[0].Number = 0 },
		"a bad window":     func(s *slots.Snapshot) { s.Windows[0].Rows[0].Control.NN = math.NaN() },
		"a bad unit":       func(s *slots.Snapshot) { s.Rows[0].Control.Few = [][4]float64{{1, math.NaN()}} },
		"older":            func(s *slots.Snapshot) { s.UpTo = s.UpTo.Add(-time.Hour) },
		"trials of later":  func(s *slots.Snapshot) { s.TrialsFrom, s.Trials = 7, "e" },
		"no trial":         func(s *slots.Snapshot) { s.Trials = "x" },
	} {
		c, before := judged(t, planOf(success(0.005)), with(healthy, func(m *made) { m.hold = 30 * time.Second }))
		s := healthy.book(t).Snapshot(0)
		change(&s)
		if err := c.Take("", s); err == nil {
			t.Errorf("%s is taken", name)
		} else if !errors.Is(err, ErrBucket) && !errors.Is(err, ErrOrder) {
			t.Errorf("%s: %v", name, err)
		}
		after := c.Status(begin.Add(90 * time.Second))
		if after.In != before.In || after.Rows[0] != before.Rows[0] {
			t.Errorf("%s changed what is known", name)
		}
		if err := c.Take("", healthy.book(t).Snapshot(0)); err != nil {
			t.Errorf("after %s: %v", name, err)
		}
	}
}

func TestArmsOfUnequalSizeGiveTheSameAnswer(t *testing.T) {
	c := claim{margin: 0.005}
	for range 500 {
		c.control.Add(slots.Unit{N: 10, Y: 1})
	}
	for range 50 {
		c.experiment.Add(slots.Unit{N: 10, Y: 1})
	}
	s := c.span(5.2, 4.6, nil, true)
	if math.Abs(s.estimate) > 1e-12 || !(s.low < 0 && s.high > 0) {
		t.Errorf("%+v", s)
	}
}

func TestPlansThatCannotBeCarriedOut(t *testing.T) {
	bad := func(change func(*Metric)) Plan {
		m := success(0.005)
		change(&m)
		return planOf(m)
	}
	for name, p := range map[string]Plan{
		"alpha":              {Alpha: 0.5},
		"not a number":       {Alpha: math.NaN()},
		"atLeast":            {AtLeast: time.Hour, Horizon: time.Minute},
		"budget":             {ExtraFailures: math.Inf(1)},
		"no name":            bad(func(m *Metric) { m.Name = "" }),
		"twice":              planOf(success(0.1), success(0.1)),
		"a gauge":            bad(func(m *Metric) { m.Kind = Gauge }),
		"a margin of all":    bad(func(m *Metric) { m.Margin.Difference = 1 }),
		"a margin below 0":   bad(func(m *Metric) { m.Margin.Difference = -0.1 }),
		"two margins":        bad(func(m *Metric) { m.Margin.Ratio = 2 }),
		"the wrong way":      bad(func(m *Metric) { m.Margin = Margin{Ratio: 0.9} }),
		"a latency by pp":    bad(func(m *Metric) { m.Kind = Latency }),
		"a quantile of 1":    bad(func(m *Metric) { m.Kind, m.Margin, m.Quantiles = Latency, Margin{Ratio: 1.2}, []float64{1} }),
		"a quantile twice":   bad(func(m *Metric) { m.Kind, m.Margin, m.Quantiles = Latency, Margin{Ratio: 1.2}, []float64{.5, .5} }),
		"events with no way": bad(func(m *Metric) { m.Kind, m.Margin, m.Harm = EventRate, Margin{Ratio: 1.2}, "" }),
	} {
		if _, err := New(p); !errors.Is(err, ErrPlan) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestThresholdsOfTooFewAnswersAreNone(t *testing.T) {
	h := Histogram{Bounds: []float64{0.1, 0.2, 0.4}, Counts: []int64{100, 300, 99, 0}}
	if _, err := FixThreshold(h, 0.99, 1.2, 0); !errors.Is(err, ErrShort) {
		t.Errorf("499 answers know p99: %v", err)
	}
	h.Counts[2]++
	got, err := FixThreshold(h, 0.5, 1.2, 0)
	if err != nil || !inside(got.Usual, 0.14, 0.143) || math.Abs(got.Slow-1.2*got.Usual) > 1e-12 || !inside(got.Between, 0.15, 0.17) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, _ := FixThreshold(h, 0.5, 0, 0.05); math.Abs(got.Slow-got.Usual-0.05) > 1e-12 {
		t.Errorf("the floor gives %+v", got)
	}
	h.Counts[3] = 100
	if _, err := FixThreshold(h, 0.99, 1.2, 0); !errors.Is(err, ErrShort) {
		t.Errorf("p99 beyond all bounds: %v", err)
	}
	if _, err := FixThreshold(Histogram{Bounds: []float64{1}, Counts: []int64{-1, 1}}, 0.5, 1.2, 0); !errors.Is(err, ErrBucket) {
		t.Errorf("a negative count: %v", err)
	}
}
