package analysis

import (
	"errors"
	"strings"
	"testing"
	"time"

	"mishap/internal/slots"
)

const later = 1 << 20

// exposedBook counts a request a second of 200 units per arm, of which every
// metth met the fault; what comes with the fault in is numbered from later on.
func exposedBook(t *testing.T, metth int, met, rest func(e bool, i int) bool) slots.Snapshot {
	t.Helper()
	b, err := slots.NewBook(0, []slots.Row{{Name: "success-rate"}, {Name: "success-rate all"}}, begin)
	if err != nil {
		t.Fatal(err)
	}
	count := func(from time.Time, seconds int, after bool) {
		for i := range seconds * 400 {
			arm := slots.Arm(i % 2)
			e, n := arm == slots.Experiment && after, i/2
			which := n
			if after {
				which += later
			}
			bad := rest(e, which)
			p := slots.Place{Arm: arm, Slot: slots.Of(uint64(n), 200)}
			came := from.Add(time.Duration(i) * time.Second / 400)
			if n%metth == 0 {
				bad = met(e, which/metth)
				b.Add(p, came, slots.Count{Row: 0, N: 1, Y: uint32(boolInt(bad))})
				b.Trial(p, came, bad)
			}
			b.Add(p, came, slots.Count{Row: 1, N: 1, Y: uint32(boolInt(bad))})
		}
	}
	count(begin, 60, false)
	at := b.Inject(begin.Add(time.Minute))
	count(at, 120, true)
	b.Close(at.Add(2 * time.Minute))
	return b.Snapshot(0)
}

// TestWhatBothArmsSufferBesideTheFaultIsNeverHeld: as with a circuit that they
// share, which the fault opens: what does not come to the dependency any more
// fails, and did not meet the fault.
func TestWhatBothArmsSufferBesideTheFaultIsNeverHeld(t *testing.T) {
	rare := func(_ bool, i int) bool { return i%211 == 0 }
	rest := func(_ bool, i int) bool { return i%211 == 0 || i > later && i%5 > 0 }
	s := exposedBook(t, 8, rare, rest)
	c, err := New(Plan{Exposed: true, Metrics: []Metric{success(0.02)}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Take("", s); err != nil {
		t.Fatal(err)
	}
	_ = c.Begin(s.Injected)
	got := c.Status(s.UpTo)
	if d := got.Decision; d.Cause != BothChanged || d.Guard == nil || d.Guard.Of != AllRequests || d.Guard.Both {
		t.Errorf("%+v, guard %+v", d, d.Guard)
	}
	if !has(got.Doubts, ChangeDoubt) || !strings.Contains(got.Decision.Reason, "all requests: both arms got worse") {
		t.Errorf("doubts %v: %s", got.Doubts, got.Decision.Reason)
	}
	if got.Rows[0].State != Within {
		t.Errorf("of what met the fault: %+v", got.Rows[0])
	}
}

func TestOnlyWhatMetTheFaultClears(t *testing.T) {
	never := func(bool, int) bool { return false }
	rare := func(_ bool, i int) bool { return i%211 == 0 }
	always := func(e bool, _ int) bool { return e }
	some := func(e bool, i int) bool { return i%211 == 0 || e && i%20 == 1 }
	for name, x := range map[string]struct {
		metth     int
		met, rest func(bool, int) bool
		want      Outcome
		of        Part
		doubt     DoubtKind
	}{
		"half of them, no harm":        {2, rare, rare, Held, "", ""},
		"1 of 4,500, and all of it":    {4500, always, rare, Continue, "", UnitsDoubt},
		"1 of 4,500, no harm":          {4500, never, rare, Continue, "", OpenDoubt},
		"1 of 40, and all of it":       {40, always, rare, Deviated, FirstRequests, ""},
		"half of them; harm to others": {2, rare, some, Deviated, AllRequests, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := exposedBook(t, x.metth, x.met, x.rest)
			c, err := New(Plan{Exposed: true, Metrics: []Metric{success(0.01)}})
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Take("", s); err != nil {
				t.Fatal(err)
			}
			_ = c.Begin(s.Injected)
			got := c.Status(s.UpTo)
			d := got.Decision
			if d.Outcome != x.want || x.doubt != "" && !has(got.Doubts, x.doubt) || d.Row != nil && d.Row.Of != x.of {
				t.Errorf("%+v, row %+v, doubts %v", d, d.Row, got.Doubts)
			}
			if len(got.Rows) != 1 {
				t.Errorf("%d rows are shown", len(got.Rows))
			}
		})
	}
}

// TestAFaultThatFewRequestsMeetIsTriedForItsHarm: it will not be held, which the
// baseline says, and that is no reason not to look for harm.
func TestAFaultThatFewRequestsMeetIsTriedForItsHarm(t *testing.T) {
	rare := func(_ bool, i int) bool { return i%211 == 0 }
	s := exposedBook(t, 400, rare, rare)
	s.Injected, s.Windows, s.Trials = time.Time{}, nil, ""
	for _, exposed := range []bool{true, false} {
		c, err := New(Plan{Exposed: exposed, Horizon: 5 * time.Minute, Metrics: []Metric{success(0.005)}})
		if err != nil {
			t.Fatal(err)
		}
		early := s
		early.UpTo = early.UpTo.Add(-time.Minute)
		if err := errors.Join(c.Take("", early), c.Take("", s)); err != nil {
			t.Fatal(err)
		}
		b := c.Baseline()
		if b.Rows[0].HarmOnly != exposed || b.Enough != exposed || has(b.Doubts, HopelessDoubt) == exposed {
			t.Errorf("exposed %v: %+v", exposed, b)
		}
	}
}
