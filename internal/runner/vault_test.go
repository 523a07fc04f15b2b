package runner_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/internal/runner"
)

// safe is a vault that writes what is asked of it where the calls of the others are
// written, and fails or hangs as it is told.
type safe struct {
	w     *world
	fails error
	hangs bool
	left  []string
}

func (s *safe) Hold(ctx context.Context, all []mishap.Injection) error {
	s.w.mu.Lock()
	s.w.trace = append(s.w.trace, fmt.Sprintf("vault %d", len(all)))
	s.w.mu.Unlock()
	if s.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	return s.fails
}

func (s *safe) Adopt(all []mishap.Injection) {
	s.w.trace = append(s.w.trace, fmt.Sprintf("adopt %d", len(all)))
}

func (s *safe) Settle(_ context.Context, left []mishap.Injection) error {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	for _, in := range left {
		s.left = append(s.left, in.Target.ID)
	}
	s.w.trace = append(s.w.trace, "settle")
	return errors.New("the network is gone") // which keeps no run from its end
}

func TestTheVaultIsAfterTheKeeperAndBeforeTheFirstFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSet(t, fault("a", time.Minute), fault("b", time.Minute))
		s.runner.Vault = &safe{w: s.w}
		wantVerdict(t, s.run(t, t.Context()), mishap.Held, "")
		want := []string{"hold a", "hold b", "vault 2", "inject a", "inject b", "revert b", "revert a", "settle"}
		if !slices.Equal(s.w.trace, want) {
			t.Errorf("calls were %v", s.w.trace)
		}
	})
}

func TestNothingIsTouchedWhenTheVaultDoesNotTakeIt(t *testing.T) {
	for name, tt := range map[string]struct {
		vault safe
		stop  func(*set)
		cause mishap.Cause
		says  string
	}{
		"denied":  {safe{fails: mishap.WithHint(errors.New("denied"), "grant it")}, nil, mishap.CauseTarget, "denied (grant it)"},
		"taken":   {safe{fails: fmt.Errorf("instance i-1: %w", mishap.ErrTaken)}, nil, mishap.CauseTarget, "something else changes it already"},
		"aborted": {safe{hangs: true}, func(s *set) { s.stops <- runner.Stop{Cause: mishap.CauseAbort, Reason: "not today"} }, mishap.CauseAbort, "not today"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSet(t, fault("a", time.Minute))
				tt.vault.w = s.w
				s.runner.Vault = &tt.vault
				if tt.stop != nil {
					time.AfterFunc(time.Second, func() { tt.stop(s) })
				}
				run := s.run(t, t.Context())
				if run.State != mishap.Refused || run.Cause != tt.cause || !strings.Contains(run.Reason, tt.says) {
					t.Errorf("%s, %s: %s", run.State, run.Cause, run.Reason)
				}
				if want := []string{"hold a", "vault 1", "settle"}; !slices.Equal(s.w.trace, want) {
					t.Errorf("calls were %v", s.w.trace)
				}
			})
		})
	}
}

func TestInterruptedWhileTheVaultIsWrittenIsInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSet(t, fault("a", time.Minute))
		s.runner.Vault = &safe{w: s.w, hangs: true}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if run := s.run(t, ctx); run.State != mishap.Refused || run.Cause != mishap.CauseInterrupt {
			t.Errorf("%s, %s: %s", run.State, run.Cause, run.Reason)
		}
	})
}

func TestWhatIsStrandedOrLeftStaysInTheVault(t *testing.T) {
	for name, begin := range map[string]func(*set) context.Context{
		"stranded": func(s *set) context.Context { s.w.fail["revert a"] = 1e6; return context.Background() },
		"left to its keeper": func(*set) context.Context {
			ctx, cancel := context.WithCancelCause(context.Background())
			time.AfterFunc(10*time.Second, func() { cancel(runner.ErrLeave) })
			return ctx
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSet(t, fault("a", time.Minute))
				v := &safe{w: s.w}
				s.runner.Vault = v
				_, _ = s.runner.Run(begin(s), s.first)
				if !slices.Equal(v.left, []string{"a"}) {
					t.Errorf("left in the vault: %v; %v", v.left, s.w.calls())
				}
			})
		})
	}
}

// Only the record is known: nothing of the plan, the probes or the journal.
func TestARecordAloneIsRevertedAndLookedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSet(t)
		s.w.off["a"], s.w.off["b"], s.w.fail["revert a"] = true, true, 2
		var all []mishap.Injection
		for i, name := range []string{"a", "b"} {
			found, _ := injector{s.w, s.p, name}.Prepare(t.Context(), mishap.Request{})
			found[0].ID, found[0].Run, found[0].Fault = runner.InjectionID("r9", 0, i), "r9", "switches"
			all = append(all, found...)
		}
		run, err := (&runner.Runner{Restore: s.runner.Restore, RevertWithin: time.Minute}).Recorded(t.Context(), all)
		if err != nil || run.State != mishap.Completed || len(s.w.anyOff()) != 0 || run.Injections[0].State != mishap.InjectionReverted {
			t.Errorf("%v; %+v; off: %v", err, run, s.w.anyOff())
		}
		s.w.off["a"], s.w.fail["revert a"] = true, 1e6
		run, err = (&runner.Runner{Restore: s.runner.Restore, RevertWithin: time.Minute}).Recorded(t.Context(), all)
		if err != nil || run.State != mishap.Stranded || run.Injections[0].State != mishap.InjectionStranded || run.Injections[1].State != mishap.InjectionReverted {
			t.Errorf("%v; %+v", err, run)
		}
	})
}
