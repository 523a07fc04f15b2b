package runner_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/internal/runner"
)

// healing is a probe that is met again some time after the revert of a, and
// whose answers take a while.
type healing struct {
	w     *world
	after time.Duration // zero: at once; negative: never
	takes time.Duration
	deaf  time.Duration // since the revert: when its answers begin to be unknown

	mu    sync.Mutex
	since time.Time
	looks []time.Duration // beginnings, since the revert
}

func (p *healing) Observe(ctx context.Context) mishap.Observation {
	if !slices.Contains(p.w.calls(), "revert a") {
		return mishap.Observation{Result: mishap.Met}
	}
	p.mu.Lock()
	if p.since.IsZero() {
		p.since = time.Now()
	}
	began := time.Since(p.since)
	p.looks = append(p.looks, began)
	p.mu.Unlock()
	select {
	case <-time.After(p.takes):
	case <-ctx.Done():
		return mishap.Observation{Result: mishap.Unmet, Detail: "no answer"}
	}
	switch now := time.Since(p.since); {
	case p.deaf > 0 && now >= p.deaf:
		return mishap.Observation{Result: mishap.Unmeasured, Detail: "the source is down"}
	case p.after < 0 || now < p.after:
		return mishap.Observation{Result: mishap.Unmet, Detail: "down"}
	}
	return mishap.Observation{Result: mishap.Met}
}

// recovering runs a set whose system comes back as p says, within 6 s.
func recovering(t *testing.T, p *healing) *mishap.Run {
	t.Helper()
	s := newSet(t, fault("a", 10*time.Second))
	x := &s.first.Planned.Experiment
	x.Recovery.Within, x.Recovery.Jitter = mishap.Duration(6*time.Second), 0
	x.SteadyState[0].When = []mishap.Phase{mishap.During, mishap.After}
	x.SteadyState[0].Timeout = mishap.Duration(30 * time.Second)
	p.w = s.w
	s.runner.Probes[0] = p
	return s.run(t, t.Context())
}

func TestThereIsAlwaysALookThatBeginsAtTheDeadline(t *testing.T) {
	tests := map[string]struct {
		p       *healing
		verdict mishap.Verdict
		why     string
	}{
		"back just before it":              {&healing{after: 5990 * time.Millisecond}, mishap.Held, ""},
		"back while that look is made":     {&healing{after: 6050 * time.Millisecond, takes: 100 * time.Millisecond}, mishap.Held, ""},
		"never back":                       {&healing{after: -1}, mishap.Deviated, "did not come back within 6s"},
		"back only after it":               {&healing{after: 6200 * time.Millisecond}, mishap.Deviated, "did not come back within 6s"},
		"looks that take longer than that": {&healing{takes: 20 * time.Second}, mishap.Held, ""},
		"nobody can look any more":         {&healing{after: -1, deaf: 5 * time.Second}, mishap.Inconclusive, `"p" could not be measured: the source is down`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				run := recovering(t, tt.p)
				wantVerdict(t, run, tt.verdict, tt.why)
				if tt.verdict == mishap.NoVerdict {
					return
				}
				if !slices.ContainsFunc(tt.p.looks, func(d time.Duration) bool { return d.Round(time.Millisecond) == 6*time.Second }) {
					t.Errorf("no look began at the deadline of 6s: %v", tt.p.looks)
				}
			})
		})
	}
}

func TestARecoveryTimeIsARangeFromALookThatFailedToOneThatSucceeded(t *testing.T) {
	tests := map[string]struct {
		p             *healing
		after, within time.Duration
	}{
		"at the first look":   {&healing{takes: 50 * time.Millisecond}, 0, 50 * time.Millisecond},
		"between two looks":   {&healing{after: 300 * time.Millisecond, takes: 50 * time.Millisecond}, 0, 350 * time.Millisecond},
		"at the deadline":     {&healing{after: 5900 * time.Millisecond, takes: 50 * time.Millisecond}, 4200 * time.Millisecond, 6050 * time.Millisecond},
		"slow and well":       {&healing{takes: 4 * time.Second}, 0, 4 * time.Second},
		"slower than allowed": {&healing{takes: 7 * time.Second}, 0, 13 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				run := recovering(t, tt.p)
				wantVerdict(t, run, mishap.Held, "")
				after, within := run.Recovered.Range()
				if after.Round(50*time.Millisecond) != tt.after || within.Round(50*time.Millisecond) != tt.within {
					t.Errorf("recovered after %s, within %s; want %s, %s; looks at %v", after, within, tt.after, tt.within, tt.p.looks)
				}
			})
		})
	}
}

// tagged is an injector whose target carries what its field says.
type tagged struct {
	mishap.Injector
	tags  map[string]string
	at    mishap.Place
	state string
}

func (i tagged) Prepare(ctx context.Context, req mishap.Request) ([]mishap.Injection, error) {
	all, err := i.Injector.Prepare(ctx, req)
	for j := range all {
		all[j].Target.Tags, all[j].Target.Where, all[j].Target.State = i.tags, i.at, i.state
	}
	return all, err
}

// optIn is a safeguard that wants a tag.
type optIn struct{}

func (optIn) Check(_ context.Context, s mishap.Situation) error {
	for _, in := range s.Plan.Injections {
		if in.Target.Tags["mishap"] != "allow" || in.Target.Tags["freeze"] != "" || in.ID != "" && in.Undo != nil {
			return &mishap.Veto{Reason: in.Target.ID + " does not carry the tag"}
		}
	}
	return nil
}

func TestSafeguardsAndDriftAreAboutWhatIsThereNow(t *testing.T) {
	allow := map[string]string{"mishap": "allow"}
	tests := map[string]struct {
		now   tagged
		cause mishap.Cause // of the refusal; empty: it runs
	}{
		"as planned":                    {tagged{tags: allow, state: "running"}, ""},
		"another tag came":              {tagged{tags: map[string]string{"mishap": "allow", "x": "y"}, state: "running"}, ""},
		"a tag came that forbids it":    {tagged{tags: map[string]string{"mishap": "allow", "freeze": "y"}, state: "running"}, mishap.CauseSafeguard},
		"the opt-in tag was taken away": {tagged{state: "running"}, mishap.CauseTarget},
		"the tag's value is no":         {tagged{tags: map[string]string{"mishap": "deny"}, state: "running"}, mishap.CauseTarget},
		"it is elsewhere":               {tagged{tags: allow, at: mishap.Place{Region: "eu-west-2"}, state: "running"}, mishap.CauseTarget},
		"it is in another account":      {tagged{tags: allow, at: mishap.Place{Account: "2"}, state: "running"}, mishap.CauseTarget},
		"it is in another state":        {tagged{tags: allow, state: "standby"}, mishap.CauseTarget},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSet(t, fault("a", 10*time.Second))
				s.first.Planned.Injections[0].Target.Tags, s.first.Planned.Injections[0].Target.State = allow, "running"
				tt.now.Injector = s.runner.Faults[0].Injector
				s.runner.Faults[0].Injector = tt.now
				s.runner.Guards = append(s.runner.Guards, runner.Guard{Name: "place", Safeguard: optIn{}})
				run := s.run(t, t.Context())
				if tt.cause == "" {
					wantVerdict(t, run, mishap.Held, "")
					return
				}
				if run.State != mishap.Refused || run.Cause != tt.cause || mishap.OutcomeOf(run).ExitCode() != 5 || len(s.w.calls()) > 0 {
					t.Errorf("state %s, cause %s (%s), calls %v", run.State, run.Cause, run.Reason, s.w.calls())
				}
			})
		})
	}
}
