package runner_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
)

// estate is a target that knows to which run it belongs.
type estate struct {
	injector
	mu      sync.Mutex
	owner   string
	changed []mishap.Disturbance
	lost    bool
	silent  bool
}

func (e *estate) Own(_ context.Context, in mishap.Injection) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.owner != "" && e.owner != in.Run {
		return errors.Join(mishap.ErrTaken, errors.New("it belongs to run "+e.owner))
	}
	e.owner = in.Run
	return nil
}

func (e *estate) Disturbed(context.Context, mishap.Injection) ([]mishap.Disturbance, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.silent:
		return nil, errors.New("nobody answers")
	case e.lost:
		return []mishap.Disturbance{{By: "by somebody", What: "switch a was started anew"}}, nil
	}
	return e.changed, nil
}

func (e *estate) Disown(context.Context, mishap.Injection) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.owner = ""
	return nil
}

// after changes the target later.
func (e *estate) after(d time.Duration, change func()) {
	time.AfterFunc(d, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		change()
	})
}

// owningSet is a run with one fault on an estate.
func owningSet(t *testing.T) (*set, *estate) {
	s := newSet(t, fault("a", time.Minute))
	e := &estate{injector: injector{w: s.w, p: s.p, name: "a"}}
	s.runner.Faults[0].Injector = e
	s.runner.Keeper = nil
	return s, e
}

func TestAThingThatBelongsToAnotherRunRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, e := owningSet(t)
		e.owner = "r7"
		run := s.run(t, t.Context())
		if run.State != mishap.Refused || e.owner != "r7" || len(s.w.anyOff()) > 0 {
			t.Errorf("%s because %q; it belongs to %q", run.State, run.Reason, e.owner)
		}
	})
}

func TestAThingIsGivenBackWhenTheRunIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, e := owningSet(t)
		wantVerdict(t, s.run(t, t.Context()), mishap.Held, "")
		if e.owner != "" {
			t.Errorf("it still belongs to %q", e.owner)
		}
	})
}

func TestWhatOthersChangeEndsTheHold(t *testing.T) {
	hand := mishap.Disturbance{By: "by hand", What: "fault x was injected"}
	for name, c := range map[string]struct {
		at     time.Duration
		change func(*estate)
		why    string
	}{
		"put in":           {20 * time.Second, func(e *estate) { e.changed = []mishap.Disturbance{hand} }, "fault x was injected by hand"},
		"started anew":     {20 * time.Second, func(e *estate) { e.lost = true }, "started anew"},
		"in the last look": {time.Minute - time.Millisecond, func(e *estate) { e.changed = []mishap.Disturbance{hand} }, "fault x was injected by hand"},
		"silent at last":   {time.Minute - time.Millisecond, func(e *estate) { e.silent = true }, "could not be asked"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, e := owningSet(t)
				e.after(c.at, func() { c.change(e) })
				start := time.Now()
				run := s.run(t, t.Context())
				wantVerdict(t, run, mishap.Inconclusive, c.why)
				if in := run.RevertingAt.Sub(start); in > c.at+2*time.Second {
					t.Errorf("the fault was in force for %s, and it was of no use after %s", in, c.at)
				}
				if e.owner != "" {
					t.Errorf("it still belongs to %q", e.owner)
				}
			})
		})
	}
}

func TestADeviationThatOthersMayHaveCausedIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, e := owningSet(t)
		s.w.probe = func() mishap.Observation {
			e.mu.Lock()
			defer e.mu.Unlock()
			if e.changed != nil {
				return mishap.Observation{Result: mishap.Unmet, Detail: "503"}
			}
			return mishap.Observation{Result: mishap.Met}
		}
		e.after(20*time.Second+time.Millisecond, func() {
			e.changed = []mishap.Disturbance{{By: "by hand", What: "fault x was injected", Since: time.Now()}}
		})
		wantVerdict(t, s.run(t, t.Context()), mishap.Inconclusive, "by hand")
	})
}
