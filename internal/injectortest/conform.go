// Package injectortest is the conformance suite of injectors: what every entry
// of the catalog must obey, whatever its fault.
package injectortest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"mishap"
	"mishap/internal/revert"
)

// World is a small system that faults of one kind can break.
type World struct {
	Kind mishap.InjectorKind

	// Fault selects at least one target in a fresh system. It is called once
	// per guarantee, before anything else, and takes the system down with
	// t.Cleanup.
	Fault func(t *testing.T) mishap.Fault

	// Empty is a valid fault whose selection finds nothing.
	Empty mishap.Fault

	// Snapshot is the state of the system in words, of what the fault may
	// change and of what lies beside it; equal means untouched.
	Snapshot func(t *testing.T) string

	// Arms is what the faults are confined to; nil: to no arm.
	Arms *mishap.ArmsRequest

	// Fates lets what the kind asks the system of Fault go as is said of each call,
	// by its name; nil: all calls are answered. The field is nil if nothing stands
	// between the two, see [Wire]: then the injector's own calls go wrong.
	Fates func(judge func(call string) Fate)

	// Stale lets reads of the system of Fault show what was so long before; nil if
	// they show what is.
	Stale func(d time.Duration)

	// Fake is that the system is all in memory, so that it may be on fake time.
	Fake bool

	// Prompt is that the system shows what is, whatever the kind says, and is on real
	// time: nobody waits for what may be of before, nor lets its calls go wrong without
	// Fates. That belongs in another world of the kind.
	Prompt bool

	// Remove takes away the targets; nil if they cannot go away.
	Remove func(t *testing.T)

	// More is further faults on the system of Fault, by name, so that each
	// parameter is in one of them; nil: Fault has all.
	More func(t *testing.T) map[string]mishap.Fault

	// Granted is what the system of Fault makes the kind use whatever a fault
	// says, see [usestest.Case]; nil: nothing.
	Granted func() mishap.Uses

	// Untraced is why what the kind uses is not looked at here, but in another
	// world of the kind; empty: it is.
	Untraced string
}

// run is the id of the run that all injections of the suite belong to.
const run = "conform"

// Conform tests every guarantee. A fault that cannot be undone, or recovers by
// itself, is held to what can be asked of it.
func Conform(t *testing.T, w World) {
	for _, rule := range rules() {
		t.Run(rule.name, func(t *testing.T) {
			if c := w.Kind.Class; rule.undoes && (c == mishap.Irreversible || c == mishap.SelfRecovering) {
				t.Skip("nothing of the fault is undone")
			}
			if rule.own {
				rule.check(t, w, mishap.Fault{})
				return
			}
			onTime(t, w, func(t *testing.T) { rule.check(t, w, w.Fault(t)) })
		})
	}
}

// rule is one guarantee.
type rule struct {
	name   string
	undoes bool // asks for a revert that puts things back
	own    bool // makes systems and subtests of its own
	check  func(t *testing.T, w World, f mishap.Fault)
}

func rules() []rule {
	return []rule{
		{name: "PrepareChangesNothing", check: prepareChangesNothing},
		{name: "PrepareIsRepeatable", check: prepareIsRepeatable},
		{name: "PrepareDescribesEachInjection", check: prepareDescribes},
		{name: "SampledControlBelongsToTheRun", check: sampledControlBelongsToTheRun},
		{name: "PrepareOfNothingIsNoTarget", check: prepareOfNothing},
		{name: "TheTokenOfAnArmIsInUndoAlone", check: tokenInUndoAlone},
		{name: "PermissionsAreWholeStatements", check: permissionsAreWhole},
		{name: "VerifyChangesNothing", check: verifyChangesNothing},
		{name: "InjectIsInForceWhenItReturns", check: injectIsInForce},
		{name: "InjectIsIdempotent", check: injectIsIdempotent},
		{name: "RevertPutsBackAndVerifySaysSo", undoes: true, check: revertPutsBack},
		{name: "RevertIsIdempotent", undoes: true, check: revertIsIdempotent},
		{name: "RevertWithoutInjectChangesNothing", check: revertWithoutInject},
		{name: "RevertNeedsOnlyTheRecord", undoes: true, check: revertNeedsOnlyTheRecord},
		{name: "RevertOfAnUnreadableRecordIsAnError", undoes: true, check: revertOfUnreadable},
		{name: "RevertOfWhatWentAwayIsGone", undoes: true, check: revertOfGone},
		{name: "ACallAnswersForEachOfItsInjections", undoes: true, check: answersForEach},
		{name: "AnInjectThatIsCutOffIsReverted", undoes: true, check: cutOffInject},
		{name: "ARevertThatIsCutOffIsMadeAgain", undoes: true, check: cutOffRevert},
		{name: "NothingIsLeftWhateverBecomesOfACall", undoes: true, own: true, check: nothingIsLeft},
		{name: "UsesWhatItDeclares", own: true, check: usesWhatItDeclares},
	}
}

// callContext limits one call as a run does.
func callContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), mishap.CallWithin)
	t.Cleanup(cancel)
	return ctx
}

// prepare finds the world's injections, and gives them what the runner would.
func prepare(t *testing.T, w World, f mishap.Fault) (mishap.Injector, []mishap.Injection) {
	t.Helper()
	injector, err := w.Kind.New(f)
	if err != nil {
		t.Fatalf("make injector: %v", err)
	}
	found, err := injector.Prepare(callContext(t), mishap.Request{Run: run, Fault: f, Arms: w.Arms})
	if err != nil {
		t.Fatalf("prepare: %v", err)
	}
	if len(found) == 0 {
		t.Fatal("prepare found nothing, and did not say so with an error")
	}
	for i := range w.Kind.Complete(found) {
		found[i].ID, found[i].Run, found[i].Fault, found[i].For = fmt.Sprintf("%s.1.%d", run, i+1), run, f.Name, f.For
		if w.Prompt {
			found[i].Settles = 0
		}
	}
	// Whatever becomes of the test, the fault must not stay.
	t.Cleanup(func() {
		for _, in := range found {
			_, _ = injector.Revert(callContext(t), in)
		}
	})
	return injector, found
}

func inject(t *testing.T, injector mishap.Injector, all []mishap.Injection) {
	t.Helper()
	for _, call := range mishap.Calls(all) {
		for i, err := range mishap.InjectAll(callContext(t), injector, call) {
			if err != nil {
				t.Fatalf("inject %s: %v", call[i].Target.ID, err)
			}
		}
	}
}

// reverted are the states that a revert puts it in, of what was injected.
func (w World) reverted() []mishap.InjectionState {
	if w.Kind.Class == mishap.SelfRecovering {
		return []mishap.InjectionState{mishap.InjectionEnded}
	}
	return []mishap.InjectionState{mishap.InjectionReverted}
}

// revertAll asks until each is settled, newest first.
func revertAll(t *testing.T, injector mishap.Injector, all []mishap.Injection, want ...mishap.InjectionState) {
	t.Helper()
	settling := &revert.Settling{}
	newest := slices.Clone(all)
	slices.Reverse(newest)
	revert.Reverter{
		Attempt: func(some []mishap.Injection) []mishap.Reply[mishap.Reverted] {
			began := time.Now()
			return settling.Look(some, began, mishap.RevertAll(callContext(t), injector, some))
		},
		Tell: func(r revert.Result) {
			switch failed := r.Err != nil && r.State != mishap.InjectionReverting; {
			case failed || r.GaveUp:
				t.Fatalf("revert %s: %v", r.Target.ID, r.Err)
			case r.Err == nil && !slices.Contains(want, r.State):
				t.Errorf("revert %s: it is %q (%s), want one of %q", r.Target.ID, r.State, r.Reverted.Detail, want)
			}
		},
	}.All(context.Background(), mishap.Calls(newest), nil)
}

func mustVerify(t *testing.T, injector mishap.Injector, all []mishap.Injection, want mishap.Answer) {
	t.Helper()
	for _, call := range mishap.Calls(all) {
		for i, got := range mishap.VerifyAll(callContext(t), injector, call) {
			if got.Err != nil {
				t.Fatalf("verify %s: %v", call[i].Target.ID, got.Err)
			}
			if got.Value.InForce != want {
				t.Errorf("verify %s: in force is %q (%s), want %q", call[i].Target.ID, got.Value.InForce, got.Value.Detail, want)
			}
		}
	}
}

// mustBeBack: a fault that recovers by itself leaves its traces.
func mustBeBack(t *testing.T, w World, injector mishap.Injector, all []mishap.Injection, before, when string) {
	t.Helper()
	if w.Kind.Class == mishap.SelfRecovering {
		return
	}
	mustVerify(t, injector, all, mishap.No)
	mustBe(t, w, before, when)
}

// mustBe compares the world with what it was.
func mustBe(t *testing.T, w World, before, when string) {
	t.Helper()
	if after := w.Snapshot(t); after != before {
		t.Errorf("%s the world changed\nfrom %s\nto   %s", when, before, after)
	}
}

// throughJSON is the injection as it is read from a ledger or an undo file.
func throughJSON(t *testing.T, in mishap.Injection) mishap.Injection {
	t.Helper()
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatalf("write injection: %v", err)
	}
	var out mishap.Injection
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatalf("read injection: %v", err)
	}
	return out
}

func isNoTarget(err error) bool { return errors.Is(err, mishap.ErrNoTarget) }
