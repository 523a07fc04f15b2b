package runner_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/internal/runner"
)

// starting is a set whose system is up some time after the run began, and that
// waits for it as ready says. looks tells when its probe was asked so far.
func starting(t *testing.T, up time.Duration, ready *mishap.Ready) (s *set, looks func() []time.Duration) {
	t.Helper()
	s = newSet(t, fault("a", time.Second))
	s.first.Planned.Experiment.Ready = ready
	began := time.Now()
	var mu sync.Mutex // the last observation while holding may still be under way
	var asked []time.Duration
	s.w.probe = func() mishap.Observation {
		since := time.Since(began)
		mu.Lock()
		asked = append(asked, since)
		mu.Unlock()
		if since < up {
			return mishap.Observation{Result: mishap.Unmet, Detail: "connection refused"}
		}
		return mishap.Observation{Result: mishap.Met}
	}
	return s, func() []time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(asked)
	}
}

func within(d time.Duration) *mishap.Ready {
	r := mishap.DefaultReady()
	r.Within, r.Jitter = mishap.Duration(d), 0
	return &r
}

// before counts the observations of a journal that were made before the run.
func (s *set) before() (n int) {
	for _, e := range s.ledger.entries {
		if e.Observation != nil && e.Observation.Phase == mishap.Before {
			n++
		}
	}
	return n
}

func TestAServiceThatStillStartsIsWaitedForWithExponentialBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, looks := starting(t, 3*time.Second, within(time.Minute))
		run := s.run(t, t.Context())
		wantVerdict(t, run, mishap.Held, "")
		want := []int64{0, 250, 650, 1290, 2314, 3952} // milliseconds
		for i, at := range want {
			if got := looks()[i].Round(time.Millisecond).Milliseconds(); got != at {
				t.Errorf("look %d began after %d ms, want %d ms", i+1, got, at)
			}
		}
		if n := s.before(); n != len(want) {
			t.Errorf("the journal has %d tries, want %d", n, len(want))
		}
		if notes := strings.Join(run.Notes, "\n"); !strings.Contains(notes, "asked for again for up to 1m") || !strings.Contains(notes, "met at try 6, 4s after the first") {
			t.Errorf("notes: %s", notes)
		}
	})
}

func TestAServiceThatDoesNotStartRefusesTheRunAfterALookAtTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, looks := starting(t, time.Hour, within(10*time.Second))
		run := s.run(t, t.Context())
		if run.State != mishap.Refused || run.Cause != mishap.CauseSteadyState || !strings.Contains(run.Reason, "not met after 8 tries in 10s, so nothing was injected: \"p\" is unmet: connection refused") {
			t.Errorf("%s (%s): %s", run.State, run.Cause, run.Reason)
		}
		if last := looks()[len(looks())-1]; last != 10*time.Second || len(looks()) != 8 || s.before() != 8 {
			t.Errorf("looks at %v, %d of them in the journal", looks(), s.before())
		}
	})
}

// However short the waits are to be, a journal has at most so many tries.
func TestTriesOfTheSteadyStateAreBounded(t *testing.T) {
	for _, first := range []time.Duration{time.Nanosecond, time.Millisecond, 7 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			ready := within(time.Hour)
			ready.First, ready.Cap, ready.Factor, ready.Jitter = mishap.Duration(first), mishap.Duration(first), 1, 1
			s, _ := starting(t, 2*time.Hour, ready)
			run := s.run(t, t.Context())
			if n := s.before(); run.State != mishap.Refused || n > mishap.MostTries || n != mishap.MostTries && first < time.Second {
				t.Errorf("first wait %s: %s with %d tries in the journal, at most %d, and as many as that with short waits", first, run.State, n, mishap.MostTries)
			}
		})
	}
}

func TestNothingIsAskedAgainUnlessTheRunMayWait(t *testing.T) {
	off := within(time.Minute)
	off.Within = 0
	for name, tt := range map[string]struct{ file, asked *mishap.Ready }{
		"the file does not say it": {nil, nil}, "who runs it says no": {within(time.Minute), off},
	} {
		synctest.Test(t, func(t *testing.T) {
			s, looks := starting(t, time.Second, tt.file)
			s.runner.Ready = tt.asked
			if run := s.run(t, t.Context()); run.State != mishap.Refused || len(looks()) != 1 || run.Notes != nil {
				t.Errorf("%s: %s after %d looks, notes %v", name, run.State, len(looks()), run.Notes)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		s, _ := starting(t, time.Second, nil)
		s.runner.Ready = within(time.Minute)
		wantVerdict(t, s.run(t, t.Context()), mishap.Held, "")
	})
}

func TestAStopEndsTheWaitForTheSteadyState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, looks := starting(t, time.Hour, within(time.Minute))
		time.AfterFunc(5*time.Second, func() { s.stops <- runner.Stop{Cause: mishap.CauseHalt, Reason: "halted"} })
		run := s.run(t, t.Context())
		if at := time.Since(run.PlannedAt); run.State != mishap.Refused || run.Cause != mishap.CauseHalt || at != 5*time.Second {
			t.Errorf("%s (%s) %s after it began, looks at %v", run.State, run.Cause, at, looks())
		}
	})
}

// The answers of safeguards are old when the system is up at last.
func TestSafeguardsAreAskedAgainBeforeEachTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := starting(t, 5*time.Second, within(time.Minute))
		began := time.Now()
		s.w.setHealthy(func() error {
			if time.Since(began) > 2*time.Second {
				return &mishap.Veto{Reason: "an incident is open"}
			}
			return nil
		})
		run := s.run(t, t.Context())
		if run.State != mishap.Refused || run.Cause != mishap.CauseSafeguard || !strings.Contains(run.Reason, "an incident is open") {
			t.Errorf("%s (%s): %s", run.State, run.Cause, run.Reason)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s, _ := starting(t, 5*time.Second, within(time.Minute))
		began := time.Now()
		s.w.setHealthy(func() error {
			if time.Since(began) > time.Second {
				return errors.New("nobody answers")
			}
			return nil
		})
		if run := s.run(t, t.Context()); run.State != mishap.Refused || !strings.Contains(run.Reason, "could not tell: nobody answers") {
			t.Errorf("%s (%s): %s", run.State, run.Cause, run.Reason)
		}
	})
}
