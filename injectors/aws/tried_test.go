package aws_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mishap"
	"mishap/injectors/aws"
	"mishap/internal/awsfake"
	"mishap/internal/cloud"
	"mishap/internal/injectortest"
	"mishap/internal/revert"
)

// tried is how a fault is tried in an AWS in memory. One row of [trials] holds it
// to all that faults in AWS must do.
type tried struct {
	// put puts two targets there, and beside them what is not meant. It returns
	// `targets`, and `with` or none.
	put func(c *awsfake.Cloud, at awsfake.Place) (targets, with string)

	// others change what the fault changes, while it is in; nil: nobody can. It
	// must do so whether the fault is in or not.
	others func(c *awsfake.Cloud, at awsfake.Place)

	// remove takes the targets away; nil: they cannot go.
	remove func(c *awsfake.Cloud, at awsfake.Place)
}

var here = awsfake.Place{Account: "111111111111", Region: "eu-west-1"}

// trial is a fault in an AWS of its own, with injections that are prepared.
type trial struct {
	*testing.T
	cloud  *awsfake.Cloud
	kind   mishap.InjectorKind
	fault  mishap.Fault
	all    []mishap.Injection
	before string

	first mishap.Injector // of the process that injects

	reverting atomic.Bool // and not injecting any more
	made      []made
}

// made are the calls of one part of a trial.
type made struct {
	what  string // "to prepare", "to inject" or "to revert"
	calls []awsfake.Call
}

// which tells a call of a trial, whatever is called beside it: how many looks there
// are before it depends on what goes on side by side.
type which struct {
	reverting bool
	action    string
	nth       int // of the action, to inject or to revert
}

func (w which) String() string {
	return fmt.Sprintf("call %d of %s, reverting: %t", w.nth, w.action, w.reverting)
}

// newTrial prepares the fault; what was called until then is forgotten.
func newTrial(t *testing.T, name string, s awsfake.Settings) *trial {
	t.Helper()
	return trialOf(t, name, s, 2, trials()[name].put)
}

// trialOf prepares the fault on so many targets that are put there.
func trialOf(t *testing.T, name string, s awsfake.Settings, n int, put func(*awsfake.Cloud, awsfake.Place) (targets, with string)) *trial {
	t.Helper()
	c := awsfake.New(s)
	targets, with := put(c, c.Enter(here))
	time.Sleep(s.Stale) // until all of that can be seen
	f := fault(name, targets, nil)
	if f.For = mishap.Duration(time.Minute); with != "" {
		f.With = raw(with)
	}
	one := &trial{T: t, cloud: c, kind: kind(fakeDeps(c), name), fault: f, before: c.Snapshot()}
	injector, err := one.kind.New(f)
	if err != nil {
		t.Fatalf("make injector: %v", err)
	}
	found, err := injector.Prepare(t.Context(), mishap.Request{Run: "run", Fault: f})
	if err != nil || len(found) != n {
		t.Fatalf("prepare: %d found, %v", len(found), err)
	}
	one.all = one.kind.Complete(found)
	for i := range one.all {
		in := &one.all[i]
		in.ID, in.Run, in.Fault, in.For = fmt.Sprintf("run.1.%d", i+1), "run", f.Name, f.For
		one.all[i] = recorded(t, *in)
	}
	needs := one.permissions()
	one.needs("to prepare", append(needs.Inject, needs.Revert...)) // whether it could be undone is asked as well
	return one
}

func recorded(t *testing.T, in mishap.Injection) (out mishap.Injection) {
	t.Helper()
	text, err := json.Marshal(in)
	if err != nil || json.Unmarshal(text, &out) != nil {
		t.Fatalf("write and read injection: %v", err)
	}
	return out
}

// fakeDeps are those of a process that has just begun: it has called nobody.
func fakeDeps(c *awsfake.Cloud) aws.Deps {
	return as(keyed(c, here.Account), "arn:aws:iam::111111111111:user/admin")()
}

// process restores the fault's injector, as one that has only the record.
func (one *trial) process() mishap.Injector {
	one.Helper()
	injector, err := kind(fakeDeps(one.cloud), one.kind.Name).Restore(one.all[0])
	if err != nil {
		one.Fatalf("restore injector: %v", err)
	}
	return injector
}

// inject is what a run does; it says how the call ended.
func (one *trial) inject(ctx context.Context, settling *revert.Settling) (failed error) {
	one.Helper()
	ctx, cancel := context.WithTimeout(ctx, mishap.CallWithin)
	defer cancel()
	if one.first == nil {
		one.first = one.process()
	}
	for _, err := range mishap.InjectAll(ctx, one.first, one.all) {
		if err != nil {
			failed = err
		}
	}
	settling.Called(one.all)
	one.needs("to inject", one.permissions().Inject)
	return failed
}

// revert is what a run does, or whoever took it over. It returns how each ended;
// nothing of those that ctx left over.
func (one *trial) revert(ctx context.Context, settling *revert.Settling) map[string]mishap.Reverted {
	one.Helper()
	one.reverting.Store(true)
	injector, ended := one.process(), map[string]mishap.Reverted{}
	revert.Reverter{
		Within: 2 * time.Minute,
		Attempt: func(all []mishap.Injection) []mishap.Reply[mishap.Reverted] {
			ctx, cancel := context.WithTimeout(ctx, mishap.CallWithin)
			defer cancel()
			began := time.Now()
			return settling.Look(all, began, mishap.RevertAll(ctx, injector, all))
		},
		Tell: func(r revert.Result) {
			if r.GaveUp {
				one.Errorf("%s is stranded: %v", r.ID, r.Err)
			}
			if r.Err == nil {
				ended[r.ID] = r.Reverted
			}
		},
	}.All(ctx, mishap.Calls(one.all), nil)
	one.needs("to revert", one.permissions().Revert)
	return ended
}

func (one *trial) permissions() mishap.Permissions { return one.kind.Permits(one.all) }

// foreseen is what the policies allow that are made of the file alone.
func (one *trial) foreseen() []mishap.Statement {
	one.Helper()
	p, err := one.kind.Needs(one.fault, []mishap.Place{{Account: here.Account, Region: here.Region}}, nil)
	if err != nil {
		one.Fatalf("make policy: %v", err)
	}
	return append(p.Inject, p.Revert...)
}

// needs compares the calls made since it was last asked with what is printed. Of
// what is no more there are no tags to tell by that it was the fault's.
func (one *trial) needs(what string, allowed []mishap.Statement) {
	one.Helper()
	calls := slices.DeleteFunc(one.cloud.Calls(), func(c awsfake.Call) bool { return strings.Contains(c.Error, ".NotFound: ") })
	one.made = append(one.made, made{what, calls})
	for _, lacking := range awsfake.Beyond(calls, policyOf(one.T, allowed)) {
		one.Errorf("%s it needed what it does not ask for: %s", what, lacking)
	}
	for _, lacking := range awsfake.Beyond(calls, policyOf(one.T, one.foreseen())) {
		one.Errorf("%s it needed what the policy of its file does not allow: %s", what, lacking)
	}
	one.cloud.Forget()
}

func policyOf(t *testing.T, allowed []mishap.Statement) string {
	t.Helper()
	type statement struct {
		Effect string
		mishap.Statement
	}
	var all []statement
	for _, s := range allowed {
		all = append(all, statement{"Allow", s})
	}
	text, err := json.Marshal(map[string]any{"Statement": all})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// verified wants the fault to be in force, or not, once the API has settled.
func (one *trial) verified(want mishap.Answer) {
	one.Helper()
	time.Sleep(one.kind.Settles)
	for i, r := range mishap.VerifyAll(one.Context(), one.process(), one.all) {
		if r.Err != nil || r.Value.InForce != want {
			one.Errorf("%s: in force is %q (%s), %v; want %q", one.all[i].ID, r.Value.InForce, r.Value.Detail, r.Err, want)
		}
	}
}

// restored wants all to be as it was, and that to be said of each. Of a fault that
// cannot be undone, what is said must be true.
func (one *trial) restored(ended map[string]mishap.Reverted) {
	one.Helper()
	after := one.cloud.Snapshot()
	for _, in := range one.all {
		want := []mishap.InjectionState{mishap.InjectionReverted}
		if lineOf(after, in.Target.ID) != lineOf(one.before, in.Target.ID) && !undoes(one.kind) {
			want = []mishap.InjectionState{mishap.InjectionEnded, mishap.InjectionGone}
		}
		if r := ended[in.ID]; !slices.Contains(want, r.State) {
			one.Errorf("%s is %q (%s), want one of %q", in.ID, r.State, r.Detail, want)
		}
	}
	if undoes(one.kind) {
		one.same(after, one.before)
	}
}

// lineOf is what a snapshot has of one thing.
func lineOf(snapshot, arn string) string {
	_, line, _ := strings.Cut(snapshot, arn+" ")
	line, _, _ = strings.Cut(line, "\n")
	return line
}

func undoes(k mishap.InjectorKind) bool {
	return k.Class == mishap.Reversible || k.Class == mishap.Expiring
}

func (one *trial) same(after, before string) {
	one.Helper()
	was := strings.Split(before, "\n")
	for _, line := range strings.Split(after, "\n") {
		if !strings.Contains(before, line) {
			one.Errorf("there is now  %s", line)
		}
	}
	for _, line := range was {
		if !strings.Contains(after, line) {
			one.Errorf("there was once %s", line)
		}
	}
}

// judge lets a call have the fate that decide says.
func (one *trial) judge(decide func(which) awsfake.Fate) {
	var mu sync.Mutex
	seen := map[which]int{}
	one.cloud.Judge(func(c awsfake.Call) awsfake.Fate {
		mu.Lock()
		defer mu.Unlock()
		w := which{reverting: one.reverting.Load(), action: c.Action}
		seen[w]++
		w.nth = seen[w]
		return decide(w)
	})
}

// meets lets one call have that fate. It answers whether the call was made.
func (one *trial) meets(call which, f awsfake.Fate) (made *atomic.Bool) {
	made = new(atomic.Bool)
	one.judge(func(w which) awsfake.Fate {
		if w != call {
			return awsfake.Fate{}
		}
		made.Store(true)
		return f
	})
	return made
}

// fakeWorld is the world of a fault for the suite that all injectors have.
func fakeWorld(name string) injectortest.World {
	row := trials()[name]
	var c *awsfake.Cloud
	deps := aws.Deps{
		Place:    func(ctx context.Context, a, r string) (cloud.Place, error) { return fakeDeps(c).Place(ctx, a, r) },
		Recorded: func(ctx context.Context, at cloud.At) (cloud.Place, error) { return fakeDeps(c).Recorded(ctx, at) },
	}
	w := world(deps, name)
	w.Fake = true
	w.Fault = func(*testing.T) mishap.Fault {
		c = awsfake.New(awsfake.Settings{})
		targets, with := row.put(c, c.Enter(here))
		f := fault(name, targets, nil)
		if with != "" {
			f.With = raw(with)
		}
		return f
	}
	w.Empty = fault(name, `{"tags": {"Role": "nobody"}}`, nil)
	w.Empty.With = w.Fault(nil).With
	w.Untraced = "there is no socket to AWS in memory; the world of ec2-stop has one, and all faults in AWS go that way"
	w.Snapshot = func(*testing.T) string { return c.Snapshot() }
	if row.remove != nil {
		w.Remove = func(*testing.T) { row.remove(c, here) }
	}
	return w
}
