package runner_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
)

// TestWhatIsNotTheRunsAnyMoreIsLeftAlone yields one of two.
func TestWhatIsNotTheRunsAnyMoreIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSet(t, fault("a", 10*time.Second), fault("b", 10*time.Second))
		s.runner.Yield = func(_ context.Context, in mishap.Injection) (string, error) {
			if in.Fault == "a" {
				s.w.mu.Lock()
				defer s.w.mu.Unlock()
				s.w.off["a"] = false // another server has reverted it before
				return "another run has it", nil
			}
			return "", nil
		}
		run := s.run(t, t.Context())
		for _, in := range run.Injections {
			want := map[string]mishap.InjectionState{"a": mishap.InjectionSuperseded, "b": mishap.InjectionReverted}[in.Fault]
			if in.State != want {
				t.Errorf("%s is %s", in.Fault, in.State)
			}
		}
		if calls := s.w.calls(); slices.Contains(calls, "revert a") || !slices.Contains(calls, "revert b") || run.State != mishap.Completed {
			t.Errorf("%s after %s", run.State, strings.Join(calls, ", "))
		}
	})
}
