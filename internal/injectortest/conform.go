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

// Conform tests every guarantee. A fault without an undo is held to what can be
// asked of it.
func Conform(t *testing.T, w World) {
	for _, rule := range rules() {
		t.Run(rule.name, func(t *testing.T) {
			if w.Kind.Class == mishap.Irreversible && rule.undoes {
				t.Skip("the fault has no undo")
			}
			rule.check(t, w, w.Fault(t))
		})
	}
}

// rule is one guarantee.
type rule struct {
	name   string
	undoes bool // asks for a revert that puts things back
	check  func(t *testing.T, w World, f mishap.Fault)
}

func rules() []rule {
	return []rule{
		{"PrepareChangesNothing", false, prepareChangesNothing},
		{"PrepareIsRepeatable", false, prepareIsRepeatable},
		{"PrepareDescribesEachInjection", false, prepareDescribes},
		{"SampledControlBelongsToTheRun", false, sampledControlBelongsToTheRun},
		{"PrepareOfNothingIsNoTarget", false, prepareOfNothing},
		{"TheTokenOfAnArmIsInUndoAlone", false, tokenInUndoAlone},
		{"VerifyChangesNothing", false, verifyChangesNothing},
		{"InjectIsInForceWhenItReturns", false, injectIsInForce},
		{"InjectIsIdempotent", false, injectIsIdempotent},
		{"RevertPutsBackAndVerifySaysSo", true, revertPutsBack},
		{"RevertIsIdempotent", true, revertIsIdempotent},
		{"RevertWithoutInjectChangesNothing", false, revertWithoutInject},
		{"RevertNeedsOnlyTheRecord", true, revertNeedsOnlyTheRecord},
		{"RevertOfAnUnreadableRecordIsAnError", true, revertOfUnreadable},
		{"RevertOfWhatWentAwayIsGone", true, revertOfGone},
		{"UsesWhatItDeclares", false, usesWhatItDeclares},
	}
}

// callContext limits one call as a run does.
func callContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
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
	for i := range found {
		found[i].ID, found[i].Run, found[i].Fault, found[i].For = fmt.Sprintf("%s.1.%d", run, i+1), run, f.Name, f.For
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
	for _, in := range all {
		if err := injector.Inject(callContext(t), in); err != nil {
			t.Fatalf("inject %s: %v", in.Target.ID, err)
		}
	}
}

func revert(t *testing.T, injector mishap.Injector, all []mishap.Injection, want ...mishap.InjectionState) {
	t.Helper()
	for _, in := range slices.Backward(all) {
		got, err := injector.Revert(callContext(t), in)
		if err != nil {
			t.Fatalf("revert %s: %v", in.Target.ID, err)
		}
		if !slices.Contains(want, got.State) {
			t.Errorf("revert %s: it is %q (%s), want one of %q", in.Target.ID, got.State, got.Detail, want)
		}
	}
}

func mustVerify(t *testing.T, injector mishap.Injector, all []mishap.Injection, want mishap.Answer) {
	t.Helper()
	for _, in := range all {
		got, err := injector.Verify(callContext(t), in)
		if err != nil {
			t.Fatalf("verify %s: %v", in.Target.ID, err)
		}
		if got.InForce != want {
			t.Errorf("verify %s: in force is %q (%s), want %q", in.Target.ID, got.InForce, got.Detail, want)
		}
	}
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
