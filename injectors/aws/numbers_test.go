package aws_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/internal/awsfake"
	"mishap/internal/injectortest"
	"mishap/internal/runner"
)

// journal is a ledger that forgets.
type journal struct {
	mu sync.Mutex
	n  int
}

func (j *journal) Append(_ context.Context, entries ...mishap.Entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.n += len(entries)
	return nil
}

func (j *journal) Prepare(ctx context.Context, e mishap.Entry, _ mishap.Injection) error {
	return j.Append(ctx, e)
}

// runOn runs one fault on the AWS in memory, and returns the run when it is over.
func runOn(t *testing.T, kind mishap.InjectorKind, f mishap.Fault) *mishap.Run {
	t.Helper()
	injector, err := kind.New(f)
	if err != nil {
		t.Fatal(err)
	}
	fault := runner.Fault{Fault: f, Injector: injector, Kind: kind}
	found, err := fault.Prepare(t.Context(), mishap.Request{Run: "plan"})
	if err != nil {
		t.Fatal(err)
	}
	plan := mishap.Plan{Experiment: mishap.Experiment{Name: "x", Faults: []mishap.Fault{f}, Recovery: mishap.DefaultRecovery()}, Injections: found}
	r := &runner.Runner{Journal: &journal{}, Stops: make(chan runner.Stop), RevertWithin: 2 * time.Minute, Restore: kind.Restore, Faults: []runner.Fault{fault}}
	run, err := r.Run(t.Context(), mishap.Entry{Run: "r1", Seq: 1, At: time.Now(), Planned: &plan})
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// throttled are the calls that AWS refused as too many.
func throttled(c *awsfake.Cloud) (n int) {
	for _, call := range c.Calls() {
		if strings.HasPrefix(call.Error, "RequestLimitExceeded") {
			n++
		}
	}
	return n
}

// ofARole stops all that have the role.
func ofARole(long time.Duration) mishap.Fault {
	f := injectortest.Fault("ec2-stop", `{"tags": {"Role": "payments"}}`, nil)
	f.For = mishap.Duration(long)
	return f
}

// runningAt is when all instances ran again.
func runningAt(t *testing.T, c *awsfake.Cloud) time.Time {
	t.Helper()
	for range 3600 {
		down := 0
		for _, i := range c.All(here, awsfake.Instance) {
			if i.Str("instanceState.name") != "running" {
				down++
			}
		}
		if down == 0 {
			return time.Now()
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("not all instances run in the end")
	return time.Time{}
}

func TestAHundredSlowInstancesAreStoppedAndRunAgainInTimeAndInFewCalls(t *testing.T) {
	for _, test := range []struct {
		long, within time.Duration
	}{
		{time.Minute, 30 * time.Second},     // they are stopped by then
		{5 * time.Second, 70 * time.Second}, // they still stop
	} {
		t.Run(test.long.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := awsfake.New(awsfake.Slow())
				c.Launch(here, 100, map[string]string{"Role": "payments"})
				ran := make(chan time.Time, 1)
				go func() {
					firstCall(c, "ec2:StartInstances")
					ran <- runningAt(t, c)
				}()
				run := runOn(t, kind(fakeDeps(c), "ec2-stop"), ofARole(test.long))
				took := (<-ran).Sub(run.RevertingAt)
				held, n, all := " (for: "+test.long.String()+")", throttled(c), len(c.Calls())
				spread := run.HoldingAt.Sub(firstCall(c, "ec2:StopInstances"))
				figure(t, "100 instances: asked to stop, and seen to"+held, "≤ 5 s", spread.String(), spread <= 5*time.Second)
				figure(t, "all running after the revert began"+held, "≤ "+test.within.String(), took.String(), took <= test.within)
				figure(t, "calls, with both plans; of them throttled"+held, "≤ 150; 0", fmt.Sprintf("%d; %d", all, n), all <= 150 && n == 0)
				for _, in := range run.Injections {
					if in.State != mishap.InjectionReverted {
						t.Fatalf("%s is %s", in.Target.ID, in.State)
					}
				}
			})
		})
	}
}

// firstCall waits for the first call in earnest of an action.
func firstCall(c *awsfake.Cloud, action string) time.Time {
	for {
		for _, call := range c.Calls(action) {
			if !call.DryRun {
				return call.At
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func TestAThousandInstancesArePlannedInTimeAndInFewCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := awsfake.New(awsfake.Slow())
		ids := c.Launch(here, 1000, map[string]string{"Role": "payments"})
		for name, targets := range map[string]any{"by tag": map[string]any{"tags": map[string]string{"Role": "payments"}}, "by id": map[string]any{"ids": ids}} {
			c.Forget()
			f := injectortest.Fault("ec2-stop", targets, nil)
			injector, err := kind(fakeDeps(c), "ec2-stop").New(f)
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			found, err := injector.Prepare(t.Context(), mishap.Request{Run: "plan", Fault: f})
			took := time.Since(start)
			if err != nil || len(found) != 1000 {
				t.Fatalf("%s: %d planned: %v", name, len(found), err)
			}
			n, limited := len(c.Calls()), throttled(c)
			figure(t, "1,000 instances planned "+name+": waited for AWS; calls; throttled", "≤ 2 s; ≤ 40; 0", fmt.Sprintf("%s; %d; %d", took, n, limited), took <= 2*time.Second && n <= 40 && limited == 0)
			if notes := fmt.Sprint(found[0].Notes); !strings.Contains(notes, "980 of 1000") {
				t.Errorf("%s: nobody says what was not asked: %s", name, notes)
			}
		}
	})
}
