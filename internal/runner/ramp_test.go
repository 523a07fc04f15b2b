package runner_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
)

// ramping is an injector whose parameters may change.
type ramping struct {
	injector
	t    *testing.T
	seen map[time.Duration]string // since the start → with, once per value
	from time.Time
}

func (r *ramping) Renew(_ context.Context, in mishap.Injection) error {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	for _, with := range r.seen {
		if with == string(in.With) {
			return nil
		}
	}
	r.seen[time.Since(r.from).Round(time.Second)] = string(in.With)
	return nil
}

func TestARampRaisesItsParameterInRecordedSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fault("a", time.Minute)
		f.With = json.RawMessage(`{"delay":"10ms","jitter":"1ms"}`)
		f.Ramp = &mishap.Ramp{Parameter: "delay", Values: []string{"10ms", "50ms", "100ms"}, Every: mishap.Duration(15 * time.Second)}
		s := newSet(t, f)
		r := &ramping{injector: s.runner.Faults[0].Injector.(injector), t: t, seen: map[time.Duration]string{}, from: time.Now()}
		s.runner.Faults[0].Injector = r
		s.runner.Faults[0].Kind.Keeper = ""
		run := s.run(t, t.Context())
		wantVerdict(t, run, mishap.Held, "")
		want := map[time.Duration]string{
			15 * time.Second: `{"delay":"50ms","jitter":"1ms"}`, 30 * time.Second: `{"delay":"100ms","jitter":"1ms"}`,
		}
		for at, with := range want {
			if r.seen[at] != with {
				t.Errorf("after %s it was given %q, want %q (all: %v)", at, r.seen[at], with, r.seen)
			}
		}
		notes := strings.Join(run.Notes, "\n")
		for _, want := range []string{"a: delay is 50ms now, step 2 of 3", "a: delay is 100ms now, step 3 of 3"} {
			if strings.Count(notes, want) != 1 {
				t.Errorf("the journal does not say %q once:\n%s", want, notes)
			}
		}
	})
}
