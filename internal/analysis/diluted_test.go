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

// TestHarmIsNotDilutedByRequestsThatItCauses: of the experiment's purchases 15 %
// fail from 20 s on, and each other is followed by polls that succeed: of its
// requests 1 % fail.
func TestHarmIsNotDilutedByRequestsThatItCauses(t *testing.T) {
	for name, x := range map[string]struct {
		polls  int
		harm   float64
		unlike float64 // how much more often some users come
		want   Outcome
		doubt  bool
	}{
		"no harm":                         {1, 0, 1, Held, false},
		"no harm, and more polls":         {9, 0, 1, Held, false},
		"harm, hidden behind polls":       {9, 0.15, 1, Continue, true},
		"no harm, and few who come often": {4, 0, 3, Held, false},
		"harm, and few who come often":    {4, 0.15, 3, Continue, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(5, 6))
			b, err := slots.NewBook(0, []slots.Row{{Name: "success-rate"}}, begin)
			if err != nil {
				t.Fatal(err)
			}
			buy := func(arm slots.Arm, came time.Time, fails float64, polls int) {
				p, bad := slots.Place{Arm: arm, Slot: uint32(400 * math.Pow(r.Float64(), x.unlike))}, r.Float64() < fails
				b.Add(p, came, slots.Count{N: 1, Y: uint32(boolInt(bad))})
				b.Trial(p, came, bad)
				if !bad {
					b.Add(p, came, slots.Count{N: uint32(polls)})
				}
			}
			for i := range 60 * 20 {
				buy(slots.Arm(i%2), begin.Add(time.Duration(i)*time.Second/20), 0, 1)
			}
			at := b.Inject(begin.Add(time.Minute))
			for i := range 90 * 20 {
				came, e := at.Add(time.Duration(i)*time.Second/20), i%2 == 1
				fails, polls := 0.0, 1
				if e {
					polls = x.polls
				}
				if e && i > 20*20 {
					fails = x.harm
				}
				buy(slots.Arm(i%2), came, fails, polls)
			}
			b.Close(at.Add(90 * time.Second))
			c, err := New(Plan{Metrics: []Metric{success(0.04)}})
			if err != nil {
				t.Fatal(err)
			}
			s := b.Snapshot(0)
			s.Trials = "" // users' first requests, of which none failed, are not what is asked
			if err := c.Take("", s); err != nil {
				t.Fatal(err)
			}
			_ = c.Begin(at)
			got := c.Status(s.UpTo)
			if got.Decision.Outcome != x.want || has(got.Doubts, DilutedDoubt) != x.doubt {
				t.Errorf("%+v, rows %+v, doubts %v", got.Decision, got.Rows, got.Doubts)
			}
			if x.doubt && len(got.Doubts) == 1 && !strings.Contains(got.Doubts[0].Text, "times as many requests") {
				t.Errorf("it says %v", got.Doubts)
			}
		})
	}
}

// TestWhoLeavesAfterAFailureIsNotForgotten: of 200 users of the experiment some
// fail at their second request and are gone, and the others ask on for minutes, so
// that hardly any of its requests fails.
func TestWhoLeavesAfterAFailureIsNotForgotten(t *testing.T) {
	for name, x := range map[string]struct {
		leave int     // users of the experiment
		fails float64 // of requests, of those who stay
		rarer int     // of so many requests of the experiment one is not made
		held  bool
	}{
		"nobody leaves":                      {0, 0, 0, true},
		"one in four leaves":                 {50, 0, 0, false},
		"nobody leaves, who waits asks less": {0, 0, 4, true},
		"some failures, and nobody leaves":   {0, 0.01, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(5, 7))
			b, err := slots.NewBook(0, []slots.Row{{Name: "success-rate"}}, begin)
			if err != nil {
				t.Fatal(err)
			}
			asked := map[slots.Place]int{}
			ask := func(i int, came time.Time, injected bool) {
				p := slots.Place{Arm: slots.Arm(i % 2), Slot: uint32(r.IntN(200))}
				harmed := injected && p.Arm == slots.Experiment
				leaves := harmed && int(p.Slot) < x.leave
				if harmed {
					asked[p]++
				}
				if leaves && asked[p] > 2 || harmed && x.rarer > 0 && r.IntN(x.rarer) == 0 {
					return
				}
				bad := leaves && asked[p] == 2 || harmed && r.Float64() < x.fails
				b.Add(p, came, slots.Count{N: 1, Y: uint32(boolInt(bad))})
				b.Trial(p, came, bad)
			}
			const perSecond = 100
			for i := range 60 * perSecond {
				ask(i, begin.Add(time.Duration(i)*time.Second/perSecond), false)
			}
			at := b.Inject(begin.Add(time.Minute))
			for i := range 90 * perSecond {
				ask(i, at.Add(time.Duration(i)*time.Second/perSecond), true)
			}
			b.Close(at.Add(90 * time.Second))
			c, err := New(Plan{Metrics: []Metric{success(0.04)}})
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(c.Begin(at), c.Take("", b.Snapshot(0))); err != nil {
				t.Fatal(err)
			}
			s := c.Status(at.Add(90 * time.Second))
			if held := s.Decision.Outcome == Held; held != x.held {
				t.Errorf("%s: %s; %v", s.Decision.Outcome, s.Decision.Reason, s.Doubts)
			}
		})
	}
}
