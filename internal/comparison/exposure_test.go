package comparison_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/internal/comparison"
	"mishap/internal/metrics"
	"mishap/internal/slots"
)

// meet counts who met the fault, as an edge does that is told at once.
func (s *traffic) meet(arm slots.Arm, since, met bool) {
	add := func(of *[2]mishap.ArmCount) {
		c := &of[0]
		if since {
			c = &of[1]
		}
		if arm == slots.Control {
			c.Control++
		} else {
			c.Experiment++
		}
	}
	add(&s.all)
	if met {
		add(&s.met)
	}
}

// Meet makes a traffic an edge.
func (s *traffic) Meet(context.Context, []string, uint64) (comparison.Joined, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return comparison.Joined{Over: 1, Met: *s.whoMet(), Told: uint64(s.met[0].Control + s.met[1].Control)}, nil
}

func (s *traffic) whoMet() *metrics.Met {
	if s.rare == 0 {
		return nil
	}
	return &metrics.Met{Before: metrics.MetOf{Met: s.met[0], Of: s.all[0]}, Since: metrics.MetOf{Met: s.met[1], Of: s.all[1]}}
}

// silentProxy is a dependency that says what it is told to say.
type silentProxy struct {
	mu  sync.Mutex
	met comparison.Met
	err error
}

func (p *silentProxy) Name() string { return "pays" }

func (p *silentProxy) Met(context.Context, uint64) (comparison.Met, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.met, p.err
}

func (p *silentProxy) change(f func(*silentProxy)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(p)
}

// failedEdge is one that gave up.
type failedEdge struct{ *traffic }

func (e failedEdge) Meet(ctx context.Context, ids []string, through uint64) (comparison.Joined, error) {
	j, err := e.traffic.Meet(ctx, ids, through)
	j.Failed = "the run did not tell in time"
	return j, err
}

// TestOnlyWhatMetTheFaultDecides: one request of 50 meets it.
func TestOnlyWhatMetTheFaultDecides(t *testing.T) {
	for name, tt := range map[string]struct {
		rare    int
		fails   func(s *traffic)
		outcome mishap.ComparisonOutcome
		says    string
	}{
		"nobody is harmed":       {20, nil, mishap.HarmRuledOut, "requests met the fault"},
		"all of those fail":      {50, func(s *traffic) { s.experiment = 1 }, mishap.HarmShown, "extra failures"},
		"hardly any meets it":    {4500, nil, mishap.Undecided, "effective units"},
		"none meets it, not one": {1 << 60, nil, mishap.Undecided, "requests of both arms met the fault"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newTraffic(50, 0, 0)
				s.rare = tt.rare
				spec := successRate()
				spec.Metrics[0].Margin.Difference = 0.1
				spec.Metrics[0].Source = "proxy"
				looks := watchAs(t, comparison.Options{Compare: spec, Edge: s, Dependencies: []comparison.Dependency{&silentProxy{met: comparison.Met{Since: time.Now()}}}}, s, 5*time.Minute, func() {
					if tt.fails != nil {
						s.change(tt.fails)
					}
				})
				l := last(looks)
				if l.Outcome != tt.outcome || !strings.Contains(l.Reason, tt.says) {
					t.Fatalf("outcome %q: %s", l.Outcome, l.Reason)
				}
				i := l.Intervals
				if i.Met == nil || i.Requests == nil || i.Met.Control > i.Requests.Control || i.Requests.Control == 0 {
					t.Errorf("met %v of %v", i.Met, i.Requests)
				}
				if len(i.Rows) != 1 || len(i.Beside) != 1 || i.Beside[0].Of != "all requests" || !i.Beside[0].Clears || i.Beside[0].Control.Of <= i.Rows[0].Control.Of {
					t.Errorf("rows %+v, beside %+v", i.Rows, i.Beside)
				}
			})
		})
	}
}

// TestHarmToOthersStops: a fallback that takes from those who did not meet the fault.
func TestHarmToOthersStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTraffic(50, 0, 0)
		s.rare = 1 << 60
		spec := successRate()
		spec.Metrics[0].Source = "proxy"
		looks := watchAs(t, comparison.Options{Compare: spec, Edge: s, Dependencies: []comparison.Dependency{&silentProxy{met: comparison.Met{Since: time.Now()}}}}, s, 5*time.Minute, func() {
			s.change(func(s *traffic) { s.experiment = 0.3 })
		})
		if l := last(looks); l.Outcome != mishap.HarmShown || !strings.Contains(l.Reason, "all requests") {
			t.Errorf("outcome %q: %s", l.Outcome, l.Reason)
		}
	})
}

// TestAFaultThatKeepsRequestsFromTheDependencyIsNotHeld: as by a circuit that both arms share. What is kept away may fail, and did
// not meet it.
func TestAFaultThatKeepsRequestsFromTheDependencyIsNotHeld(t *testing.T) {
	for rare, want := range map[int]mishap.ComparisonOutcome{6: mishap.HarmRuledOut, 15: mishap.Undecided} {
		synctest.Test(t, func(t *testing.T) {
			s := newTraffic(50, 0, 0)
			s.rare = 5
			spec := successRate()
			spec.Metrics[0].Margin.Difference, spec.Metrics[0].Source = 0.1, "proxy"
			looks := watchAs(t, comparison.Options{Compare: spec, Edge: s, Dependencies: []comparison.Dependency{&silentProxy{met: comparison.Met{Since: time.Now()}}}}, s, 5*time.Minute, func() {
				s.change(func(s *traffic) { s.rare = rare })
			})
			if l := last(looks); l.Outcome != want || want == mishap.Undecided && !strings.Contains(l.Reason, "in the baseline: it keeps others from pays") {
				t.Errorf("1 of %d: outcome %q: %s", rare, l.Outcome, l.Reason)
			}
		})
	}
}

// TestWhatIsNotKnownIsNeverHeld: it ends a run with its reason, before the fault if it is known by then.
func TestWhatIsNotKnownIsNeverHeld(t *testing.T) {
	began := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	for says, x := range map[string]struct {
		first, then func(*silentProxy)
		edge        func(*traffic) comparison.Edge
		rare        int
	}{
		"proxy pays is of an earlier version":  {first: func(p *silentProxy) { p.err = fmt.Errorf("ask: %w", comparison.ErrOlder) }},
		"began to watch anew at":               {then: func(p *silentProxy) { p.met.Since = began.Add(time.Hour) }},
		"they came too fast, and 3 were lost":  {then: func(p *silentProxy) { p.met.Lost = 3 }},
		"left 2 connections in the process":    {first: func(p *silentProxy) { p.met.Left = 2 }},
		"none has mishap.req in its baggage":   {first: func(p *silentProxy) { p.met.NoID = 20 }, rare: 1 << 60},
		"of 40 requests that met the fault":    {then: func(p *silentProxy) { p.met.NoID = 40 }},
		"the run did not tell in time":         {edge: func(s *traffic) comparison.Edge { return failedEdge{s} }},
		"which would have, of which none says": {rare: 1 << 60, then: func(p *silentProxy) { p.met.Other = 40 }},
	} {
		t.Run(says, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, p := newTraffic(50, 0, 0), &silentProxy{met: comparison.Met{Since: began}}
				if s.rare = x.rare; s.rare == 0 {
					s.rare = 10
				}
				if x.first != nil {
					p.change(x.first)
				}
				spec := successRate()
				spec.Metrics[0].Margin.Difference = 0.1
				spec.Metrics[0].Source = "proxy"
				o := comparison.Options{Compare: spec, Edge: s, Dependencies: []comparison.Dependency{p}}
				if x.edge != nil {
					o.Edge = x.edge(s)
				}
				injected := false
				looks := watchAs(t, o, s, 3*time.Minute, func() {
					injected = true
					if x.then != nil {
						p.change(x.then)
					}
				})
				l := last(looks)
				says := strings.ReplaceAll(says, "which would have, of which none says", "none said that it is in an arm")
				if l.Outcome != mishap.Undecided || !strings.Contains(l.Reason, says) {
					t.Errorf("outcome %q: %s", l.Outcome, l.Reason)
				}
				if injected != (x.then != nil) {
					t.Errorf("injected: %v", injected)
				}
			})
		})
	}
}

// bucketed is a system whose requests call late in their time: the ids of a bucket exist before it is over, and not before.
type bucketed struct {
	t       *testing.T
	random  *rand.Rand
	over    uint64   // buckets that are
	seen    []string // by the dependency
	told    map[string]bool
	through uint64
}

func (b *bucketed) Name() string { return "pays" }

// goOn lets time pass.
func (b *bucketed) goOn() {
	for range b.random.IntN(3) {
		b.over++
		for i := range b.random.IntN(4) {
			b.seen = append(b.seen, fmt.Sprintf("%d.%d", b.over, i))
		}
	}
}

func (b *bucketed) Met(_ context.Context, after uint64) (comparison.Met, error) {
	if b.random.IntN(5) == 0 {
		return comparison.Met{}, errors.New("it does not answer")
	}
	last := min(uint64(len(b.seen)), after+5)
	met := comparison.Met{Since: time.Unix(1, 0), Seq: last, IDs: slices.Clone(b.seen[after:last]), More: last < uint64(len(b.seen))}
	b.goOn() // while it answers
	return met, nil
}

func (b *bucketed) Meet(_ context.Context, ids []string, through uint64) (comparison.Joined, error) {
	if b.random.IntN(5) == 0 {
		return comparison.Joined{}, errors.New("it does not answer")
	}
	for _, id := range ids {
		b.told[id] = true
	}
	b.through = max(b.through, through)
	for _, id := range b.seen {
		var bucket, n uint64
		_, _ = fmt.Sscanf(id, "%d.%d", &bucket, &n)
		if bucket <= b.through && !b.told[id] {
			b.t.Errorf("up to bucket %d all should be told, and %s was not", b.through, id)
		}
	}
	b.goOn()
	return comparison.Joined{Over: b.over, Told: uint64(len(b.told))}, nil
}

// TestAnEdgeIsToldThatAllIsToldOnlyWhenItIs: whoever does not answer, and whatever comes meanwhile.
func TestAnEdgeIsToldThatAllIsToldOnlyWhenItIs(t *testing.T) {
	for seed := range uint64(20) {
		b := &bucketed{t: t, random: rand.New(rand.NewPCG(seed, 1)), told: map[string]bool{}}
		join := comparison.Joining(b, b)
		for range 100 {
			join(t.Context())
		}
		if b.over-b.through > b.over/4 {
			t.Errorf("seed %d: told up to bucket %d of %d", seed, b.through, b.over)
		}
	}
}
