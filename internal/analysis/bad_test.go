package analysis

import (
	"errors"
	"math"
	"testing"
	"time"

	"mishap/internal/slots"
)

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
		"no trial":         func(s *slots.Snapshot) { s.Trials = "eEx" },
		"too many trials":  func(s *slots.Snapshot) { s.Slots, s.Trials = 1, "ee" },
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

// TestThresholdsOfBinsAreBoundsAsFarApartAsTheMargin: what lies between bounds nobody knows.
func TestThresholdsOfBinsAreBoundsAsFarApartAsTheMargin(t *testing.T) {
	h := Histogram{Bounds: []float64{0.1, 0.119, 0.2, 0.4}, Counts: []int64{500, 200, 280, 15, 5}}
	for name, x := range map[string]struct {
		q, ratio    float64
		usual, slow float64
	}{
		"nearly a fifth":      {0.5, 1.2, 0.1, 0.119},
		"twice":               {0.99, 2, 0.2, 0.4},
		"without a margin":    {0.99, 0, 0.4, 0.4},
		"no fifth about it":   {0.99, 1.2, 0, 0},
		"a half lies nowhere": {0.5, 1.5, 0, 0},
		"a tenth":             {0.1, 1.2, 0.1, 0.119},
	} {
		got, err := FixBound(h, x.q, x.ratio, 0)
		if got.Usual != x.usual || got.Slow != x.slow || (err == nil) != (x.usual > 0) || err != nil && !errors.Is(err, ErrBounds) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if got, _ := FixBound(h, 0.5, 1.2, 0); got.Between != 0.2 {
		t.Errorf("between: %+v", got)
	}
	h.Counts = []int64{3, 0, 0, 0, 0}
	if _, err := FixBound(h, 0.5, 1.2, 0); !errors.Is(err, ErrShort) {
		t.Error(err)
	}
}

// TestEventsAreCountedPerSecondThatIsCounted: time that is missing had events too.
func TestEventsAreCountedPerSecondThatIsCounted(t *testing.T) {
	b, err := slots.NewBook(0, []slots.Row{{Name: "orders", PerUnit: true}}, begin)
	if err != nil {
		t.Fatal(err)
	}
	count := func(came time.Time) {
		for unit := range uint32(100) {
			b.Add(slots.Place{Arm: slots.Arm(unit % 2), Slot: unit}, came, slots.Count{N: 1, Y: 3})
		}
	}
	count(begin)
	b.Inject(begin.Add(time.Minute))
	count(begin.Add(time.Minute))
	b.Close(begin.Add(2 * time.Minute))
	whole := b.Snapshot(0)
	part := whole
	part.Began, part.UpTo = part.Began.Add(-time.Minute), part.UpTo.Add(time.Hour)
	part.MissingBefore, part.Missing = time.Minute, time.Hour
	var guards [2]Guard
	for i, s := range []slots.Snapshot{whole, part} {
		c, err := New(planOf(Metric{Name: "orders", Kind: EventRate, Harm: Decrease, Margin: Margin{Ratio: 0.9}}))
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Begin(begin.Add(time.Minute))
		if err := c.Take("", s); err != nil {
			t.Fatal(err)
		}
		guards[i] = c.Status(s.UpTo).Guards[1]
	}
	before := whole
	before.Injected, before.UpTo, before.MissingBefore = time.Time{}, begin.Add(time.Minute), time.Second
	c, _ := New(planOf(Metric{Name: "orders", Kind: EventRate, Harm: Decrease, Margin: Margin{Ratio: 0.9}}))
	_ = c.Begin(begin.Add(time.Minute))
	if err := c.Take("", before); err != nil {
		t.Fatal(err)
	}
	for _, g := range c.Status(begin.Add(time.Minute)).Guards { // a source that tells late has told of nothing since
		if g.State != Open || g.Now != 0 || g.Before != 0 {
			t.Errorf("before anything is told: %+v", g)
		}
	}
	if guards[0] != guards[1] || guards[0].Before != 5 || guards[0].Now != 5 {
		t.Errorf("%+v, and with time missing %+v", guards[0], guards[1])
	}
}

func TestAThresholdIsFixedOnce(t *testing.T) {
	c, err := New(planOf(latency()))
	if err != nil {
		t.Fatal(err)
	}
	good := Threshold{Usual: 0.1, Slow: 0.12, Between: 0.1}
	for name, x := range map[string]Threshold{"none": {}, "backwards": {Usual: 1, Slow: 0.5}, "not a number": {Usual: 1, Slow: 2, Between: math.NaN()}} {
		if err := c.Fix("latency p99", x); !errors.Is(err, ErrPlan) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := errors.Join(c.Fix("latency p99", good), c.Fix("latency p99", good)); err != nil {
		t.Error(err)
	}
	if err := c.Fix("latency p99", Threshold{Usual: 0.2, Slow: 0.24}); !errors.Is(err, ErrOrder) {
		t.Errorf("another: %v", err)
	}
	if err := c.Fix("latency p12", good); !errors.Is(err, ErrPlan) {
		t.Errorf("no row: %v", err)
	}
}
