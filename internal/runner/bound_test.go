package runner_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/internal/runner"
)

// hang is a call that obeys nobody until the test is over.
type hang chan struct{}

func (h hang) up() { <-h }

// stuck are things that never answer.
type (
	stuckProbe    struct{ hang }
	stuckGuard    struct{ hang }
	stuckInjector struct {
		mishap.Injector
		hang
		inject, verify, revert bool
	}
	stuckJournal struct {
		runner.Journal
		hang
		from *time.Time
	}
	stuckComparer struct {
		*comparer
		hang
	}
)

func (p stuckProbe) Observe(context.Context) mishap.Observation {
	p.up()
	return mishap.Observation{Result: mishap.Met}
}

func (g stuckGuard) Check(_ context.Context, s mishap.Situation) error {
	if !s.Started.IsZero() {
		g.up()
	}
	return nil
}

func (i stuckInjector) Inject(ctx context.Context, in mishap.Injection) error {
	if i.inject {
		i.up()
	}
	return i.Injector.Inject(ctx, in)
}

func (i stuckInjector) Verify(ctx context.Context, in mishap.Injection) (mishap.Effect, error) {
	if i.verify {
		i.up()
	}
	return i.Injector.Verify(ctx, in)
}

func (i stuckInjector) Revert(ctx context.Context, in mishap.Injection) (mishap.Reverted, error) {
	if i.revert {
		i.up()
	}
	return i.Injector.Revert(ctx, in)
}

func (j stuckJournal) Append(ctx context.Context, entries ...mishap.Entry) error {
	if !j.from.IsZero() && !time.Now().Before(*j.from) {
		j.up()
	}
	return j.Journal.Append(ctx, entries...)
}

func (c stuckComparer) Watch(ctx context.Context, tell func(mishap.Comparison)) {
	go func() {
		c.comparer.Watch(ctx, func(look mishap.Comparison) {
			if look.Phase == mishap.InHold {
				c.up()
			}
			tell(look)
		})
	}()
	c.up()
}

// clocked notes when each target is turned off and on.
type clocked struct {
	mishap.Injector
	name string
	book *clock
}

type clock struct {
	sync.Mutex
	in, out map[string]time.Time
}

func (c clocked) Inject(ctx context.Context, in mishap.Injection) error {
	err := c.Injector.Inject(ctx, in)
	c.book.Lock()
	defer c.book.Unlock()
	c.book.in[in.Target.ID] = time.Now()
	return err
}

func (c clocked) Revert(ctx context.Context, in mishap.Injection) (mishap.Reverted, error) {
	r, err := c.Injector.Revert(ctx, in)
	c.book.Lock()
	defer c.book.Unlock()
	if c.book.out[in.Target.ID].IsZero() {
		c.book.out[in.Target.ID] = time.Now()
	}
	return r, err
}

// clocks lets the set note when faults go in and out, and does without a keeper.
func (s *set) clocks() *clock {
	c := &clock{in: map[string]time.Time{}, out: map[string]time.Time{}}
	for i := range s.runner.Faults {
		f := &s.runner.Faults[i]
		f.Injector, f.Kind.Keeper = clocked{f.Injector, f.Name, c}, ""
	}
	s.runner.Keeper = nil
	return c
}

func (c *clock) was(target string) time.Duration {
	c.Lock()
	defer c.Unlock()
	return c.out[target].Sub(c.in[target])
}

// TestForIsABoundWhateverIsStillBeingAsked lets everything that a run asks hang
// for ever, one after another, and wants each fault out when its time is over.
func TestForIsABoundWhateverIsStillBeingAsked(t *testing.T) {
	tests := map[string]struct {
		prepare func(*set, hang)
		why     string // of the verdict; empty: it is held
	}{
		"nothing": {func(*set, hang) {}, ""},
		"a probe": {func(s *set, h hang) { s.runner.Probes[0] = stuckProbe{h} }, "gave no answer"},
		"a safeguard": {func(s *set, h hang) {
			s.runner.Guards = append(s.runner.Guards, runner.Guard{Name: "h", Safeguard: stuckGuard{h}})
		}, ""},
		"a look": {func(s *set, h hang) {
			f := &s.runner.Faults[0]
			f.Injector = stuckInjector{Injector: f.Injector, hang: h, verify: true}
		}, "nobody looked"},
		"the ledger, once the faults are in": {func(s *set, h hang) {
			from := time.Now().Add(500 * time.Millisecond)
			s.runner.Journal = stuckJournal{s.ledger, h, &from}
		}, "not in its journal"},
		"a comparison": {func(s *set, h hang) {
			c := &comparer{baseline: []mishap.Comparison{{Ready: true}}, hold: []mishap.Comparison{{}}}
			withArms(s, c)
			s.runner.Compare = stuckComparer{c, h}
		}, "never compared"},
		"the call that injects another fault": {func(s *set, h hang) {
			f := &s.runner.Faults[1]
			f.Injector = stuckInjector{Injector: f.Injector, hang: h, inject: true}
		}, "must act"},
		"the revert of another fault": {func(s *set, h hang) {
			f := &s.runner.Faults[1]
			f.Injector = stuckInjector{Injector: f.Injector, hang: h, revert: true}
		}, "must act"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := make(hang)
				s := newSet(t, fault("a", 4*time.Second), fault("b", 4*time.Second))
				s.first.Planned.Experiment.SteadyState[0].When = []mishap.Phase{mishap.During}
				s.first.Planned.Experiment.SteadyState[0].Timeout = mishap.Duration(10 * time.Minute)
				book := s.clocks()
				tt.prepare(s, h)
				run, _ := s.runner.Run(t.Context(), s.first)
				if was := book.was("a"); was <= 0 || was > 4*time.Second+500*time.Millisecond {
					t.Errorf("a was in force for %s, and its `for` is 4s", was)
				}
				verdict, why := mishap.Judge(run)
				if (tt.why == "") != (verdict == mishap.Held) || !strings.Contains(why, tt.why) {
					t.Errorf("verdict %q because %q, want …%s…", verdict, why, tt.why)
				}
				close(h)
			})
		})
	}
}

func TestAFaultForZeroSecondsLeavesOnceItWasSeen(t *testing.T) {
	for slow, verdict := range map[time.Duration]mishap.Verdict{0: mishap.Held, 2 * time.Second: mishap.Held, 15 * time.Second: mishap.Inconclusive} {
		synctest.Test(t, func(t *testing.T) {
			s := newSet(t, fault("a", 0))
			s.first.Planned.Experiment.SteadyState[0].Timeout = mishap.Duration(time.Minute)
			book := s.clocks()
			s.w.probe = func() mishap.Observation {
				time.Sleep(slow)
				return mishap.Observation{Result: mishap.Met}
			}
			run := s.run(t, t.Context())
			wantVerdict(t, run, verdict, "")
			if was := book.was("a"); was > min(mishap.SeenWithin, slow*2)+500*time.Millisecond || run.Plan.Longest() != mishap.SeenWithin {
				t.Errorf("it was in force for %s where an answer takes %s, and the plan says at most %s", was, slow, run.Plan.Longest())
			}
			time.Sleep(time.Minute)
		})
	}
}

// TestAFaultThatNobodySawIsInconclusive: held needs an answer of each probe from
// the time that the fault was in, and does not get it by leaving the fault in.
func TestAFaultThatNobodySawIsInconclusive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSet(t, fault("a", 2*time.Second))
		s.first.Planned.Experiment.SteadyState[0].Timeout = mishap.Duration(time.Minute)
		s.first.Planned.Experiment.SteadyState[0].When = []mishap.Phase{mishap.During}
		book := s.clocks()
		s.w.probe = func() mishap.Observation {
			time.Sleep(15 * time.Second)
			return mishap.Observation{Result: mishap.Met}
		}
		run := s.run(t, t.Context())
		wantVerdict(t, run, mishap.Inconclusive, "gave no answer")
		if was := book.was("a"); was > 2500*time.Millisecond {
			t.Errorf("it was in force for %s, and its `for` is 2s", was)
		}
		time.Sleep(time.Minute)
	})
}

// several is a fault on several targets, each of which takes its time.
type several struct {
	injector
	n    int
	slow time.Duration
}

func (s several) Prepare(context.Context, mishap.Request) (all []mishap.Injection, err error) {
	for i := range s.n {
		id := fmt.Sprintf("%s%d", s.name, i+1)
		all = append(all, mishap.Injection{
			Injector: "switch", Target: mishap.Target{ID: id, Kind: "switch"}, Matched: s.n,
			Undo: json.RawMessage(`"on"`), Keys: []mishap.Key{{Thing: "switch/" + id, Attribute: "state"}},
		})
	}
	return all, nil
}

func (s several) Inject(ctx context.Context, in mishap.Injection) error {
	time.Sleep(s.slow)
	return s.injector.Inject(ctx, in)
}

func TestForCountsFromTheLastInjectionOfTheFaultAsThePlanSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSet(t, fault("a", 10*time.Second))
		injector := several{s.runner.Faults[0].Injector.(injector), 3, 7 * time.Second}
		s.runner.Faults[0].Injector = injector
		found, _ := injector.Prepare(t.Context(), mishap.Request{})
		for i := range found {
			found[i].Fault = "a"
		}
		s.first.Planned.Injections = found
		book := s.clocks()
		run := s.run(t, t.Context())
		wantVerdict(t, run, mishap.Held, "")
		for target, want := range map[string]time.Duration{"a1": 24 * time.Second, "a2": 17 * time.Second, "a3": 10 * time.Second} {
			if was := book.was(target); was < want || was > want+500*time.Millisecond {
				t.Errorf("%s was in force for %s, want %s", target, was, want)
			}
		}
		if most := run.Plan.Longest(); book.was("a1") > most || most != 10*time.Second+2*mishap.CallWithin {
			t.Errorf("the plan says at most %s, and the first was in force for %s", most, book.was("a1"))
		}
	})
}

func TestALateCallNeverInjectsBehindTheRevertsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := make(hang)
		s := newSet(t, fault("a", time.Minute), fault("b", time.Minute))
		f := &s.runner.Faults[1]
		f.Injector = stuckInjector{Injector: f.Injector, hang: h, inject: true}
		s.clocks()
		time.AfterFunc(5*time.Second, func() { s.stops <- runner.Stop{Cause: mishap.CauseAbort, Reason: "abort"} })
		time.AfterFunc(20*time.Second, func() { close(h) }) // then it injects b all the same
		run := s.run(t, t.Context())
		wantVerdict(t, run, mishap.Inconclusive, "abort")
		if off := s.w.anyOff(); off != nil {
			t.Errorf("left behind: %v", off)
		}
	})
}

// A run that may no longer inject what it was about to makes no call, and ends.
func TestNothingIsInjectedThatIsNotConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSet(t, fault("a", time.Minute))
		s.runner.Confirm = func(context.Context) error { return errors.New("it stood still") }
		s.clocks()
		wantVerdict(t, s.run(t, t.Context()), mishap.Inconclusive, "it stood still")
		for _, call := range s.w.calls() {
			if strings.HasPrefix(call, "inject") {
				t.Errorf("it called %q", call)
			}
		}
	})
}

func TestAReadyLedgerErrorIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSet(t, fault("a", time.Minute))
		s.runner.Journal = refusing{s.ledger}
		run, err := s.runner.Run(t.Context(), s.first)
		if err == nil || !errors.Is(err, errAway) || run.State == mishap.Holding || s.w.anyOff() != nil {
			t.Errorf("err %v, state %s, off %v", err, run.State, s.w.anyOff())
		}
	})
}

// refusing is a journal that takes no entry.
type refusing struct{ runner.Journal }

func (refusing) Append(context.Context, ...mishap.Entry) error { return errAway }
