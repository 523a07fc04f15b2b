package injectortest

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"mishap"
)

func prepareChangesNothing(t *testing.T, w World, f mishap.Fault) {
	before := w.Snapshot(t)
	prepare(t, w, f)
	mustBe(t, w, before, "by preparing")
}

// prepareIsRepeatable: a plan and its run must choose the same targets.
func prepareIsRepeatable(t *testing.T, w World, f mishap.Fault) {
	_, first := prepare(t, w, f)
	_, second := prepare(t, w, f)
	for i := range first {
		if len(second) != len(first) || second[i].Target.ID != first[i].Target.ID || !slices.Equal(second[i].Keys, first[i].Keys) {
			t.Fatalf("prepared twice, it found\n%+v and then\n%+v", first, second)
		}
	}
}

func prepareDescribes(t *testing.T, w World, f mishap.Fault) {
	_, all := prepare(t, w, f)
	keys, ids := map[mishap.Key]bool{}, map[string]bool{}
	for _, in := range all {
		if in.Injector != w.Kind.Name {
			t.Errorf("it is of injector %q, want %q", in.Injector, w.Kind.Name)
		}
		if in.Target.ID == "" || in.Target.Kind == "" || ids[in.Target.ID] {
			t.Errorf("target %+v has no id or kind, or is there twice", in.Target)
		}
		if ids[in.Target.ID] = true; in.Matched < len(all) {
			t.Errorf("%d targets are said to have matched, and %d were chosen", in.Matched, len(all))
		}
		if len(in.Keys) == 0 {
			t.Errorf("target %s has no resource keys", in.Target.ID)
		}
		keysAreRight(t, in, keys)
		if !json.Valid(in.Undo) {
			t.Errorf("undo %q is not JSON", in.Undo)
		}
	}
}

// keysAreRight: a thing and what of it changes, so that no other run has it
// meanwhile; and what is left alone for comparison belongs to the run as well.
func keysAreRight(t *testing.T, in mishap.Injection, seen map[mishap.Key]bool) {
	things := map[string]bool{}
	for _, key := range in.Keys {
		if key.Thing == "" || key.Attribute == "" || strings.Contains(key.Attribute, "#") || seen[key] {
			t.Errorf("resource key %q has no thing or attribute, or is there twice", key)
		}
		if read := new(mishap.Key); read.UnmarshalText([]byte(key.String())) != nil || *read != key {
			t.Errorf("resource key %q is read as %+v", key, read)
		}
		seen[key], things[key.Thing] = true, true
		if (key.Attribute == mishap.ControlAttribute) != (key.Thing != in.Keys[0].Thing) {
			t.Errorf("resource key %q: the first thing is what is changed, others are what is left alone for comparison", key)
		}
	}
	if want := 1 + len(controls(in)); len(things) != want {
		t.Errorf("the keys of target %s name %d things, want %d: the target, and its control", in.Target.ID, len(things), want)
	}
}

func controls(in mishap.Injection) []mishap.Target {
	if in.Control == nil {
		return nil
	}
	return []mishap.Target{*in.Control}
}

// sampledControlBelongsToTheRun: another run's fault on it would be taken for
// what it does by itself.
func sampledControlBelongsToTheRun(t *testing.T, w World, f mishap.Fault) {
	injector, err := w.Kind.New(f)
	if err != nil {
		t.Fatalf("make injector: %v", err)
	}
	all, err := injector.Prepare(callContext(t), mishap.Request{Run: run, Fault: f, Arms: w.Arms, Sample: true})
	if err != nil || len(all) == 0 || all[0].Control == nil {
		t.Skip("it samples no arms here")
	}
	seen := map[mishap.Key]bool{}
	for _, in := range all {
		keysAreRight(t, in, seen)
	}
}

func prepareOfNothing(t *testing.T, w World, _ mishap.Fault) {
	injector, err := w.Kind.New(w.Empty)
	if err != nil {
		t.Fatalf("make injector: %v", err)
	}
	before := w.Snapshot(t)
	found, err := injector.Prepare(callContext(t), mishap.Request{Run: run, Fault: w.Empty, Arms: w.Arms})
	if !isNoTarget(err) || len(found) != 0 {
		t.Errorf("prepare found %d injections and the error %v, want none and ErrNoTarget", len(found), err)
	}
	mustBe(t, w, before, "by finding nothing")
}

// tokenInUndoAlone: who knows the token of an arm can put requests into it.
func tokenInUndoAlone(t *testing.T, w World, f mishap.Fault) {
	if w.Arms == nil {
		t.Skip("it is confined to no arm")
	}
	_, all := prepare(t, w, f)
	for _, in := range all {
		if !strings.Contains(string(in.Undo), w.Arms.Token) {
			t.Errorf("undo of %s does not have the token of the arm", in.Target.ID)
		}
		in.Undo = nil
		text, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), w.Arms.Token) {
			t.Errorf("the token of the arm is outside of undo: %s", text)
		}
	}
}

func verifyChangesNothing(t *testing.T, w World, f mishap.Fault) {
	injector, all := prepare(t, w, f)
	before := w.Snapshot(t)
	mustVerify(t, injector, all, mishap.No)
	mustBe(t, w, before, "by verifying")
}

func injectIsInForce(t *testing.T, w World, f mishap.Fault) {
	injector, all := prepare(t, w, f)
	before := w.Snapshot(t)
	inject(t, injector, all)
	mustVerify(t, injector, all, mishap.Yes)
	if w.Snapshot(t) == before {
		t.Error("the injected world looks as it did before; the fault, or the snapshot, shows nothing")
	}
}

func injectIsIdempotent(t *testing.T, w World, f mishap.Fault) {
	injector, all := prepare(t, w, f)
	inject(t, injector, all)
	once := w.Snapshot(t)
	inject(t, injector, all)
	mustBe(t, w, once, "by injecting again")
	mustVerify(t, injector, all, mishap.Yes)
}

func revertPutsBack(t *testing.T, w World, f mishap.Fault) {
	injector, all := prepare(t, w, f)
	before := w.Snapshot(t)
	inject(t, injector, all)
	revertAll(t, injector, all, w.reverted()...)
	mustBeBack(t, w, injector, all, before, "by injecting and reverting")
}

func revertIsIdempotent(t *testing.T, w World, f mishap.Fault) {
	injector, all := prepare(t, w, f)
	before := w.Snapshot(t)
	inject(t, injector, all)
	revertAll(t, injector, all, w.reverted()...)
	revertAll(t, injector, all, anyhow()...)
	mustBeBack(t, w, injector, all, before, "by injecting and reverting twice")
}

func revertWithoutInject(t *testing.T, w World, f mishap.Fault) {
	injector, all := prepare(t, w, f)
	before := w.Snapshot(t)
	revertAll(t, injector, all, mishap.InjectionReverted, mishap.InjectionGone, mishap.InjectionSuperseded)
	mustVerify(t, injector, all, mishap.No)
	mustBe(t, w, before, "by reverting what was never injected")
}

// revertNeedsOnlyTheRecord reverts as another process would.
func revertNeedsOnlyTheRecord(t *testing.T, w World, f mishap.Fault) {
	injector, all := prepare(t, w, f)
	before := w.Snapshot(t)
	inject(t, injector, all)
	for _, call := range mishap.Calls(all) {
		for i, in := range call {
			call[i] = throughJSON(t, in)
		}
		other, err := w.Kind.Restore(call[0])
		if err != nil {
			t.Fatalf("restore injector: %v", err)
		}
		mustVerify(t, other, call, mishap.Yes)
		revertAll(t, other, call, w.reverted()...)
	}
	mustBeBack(t, w, injector, all, before, "by injecting, and reverting from the record")
}

// revertOfUnreadable: an undo that is damaged must never pass for a success.
func revertOfUnreadable(t *testing.T, w World, f mishap.Fault) {
	injector, all := prepare(t, w, f)
	for _, undo := range []string{"", "{}", "[]"} {
		in := all[0]
		in.Undo = json.RawMessage(undo)
		if got, err := injector.Revert(callContext(t), in); err == nil {
			t.Errorf("revert with undo %q: it is %q, want an error", undo, got.State)
		}
		if got, err := injector.Verify(callContext(t), in); err == nil && got.InForce != mishap.Unknown {
			t.Errorf("verify with undo %q: in force is %q, want unknown", undo, got.InForce)
		}
	}
}

func revertOfGone(t *testing.T, w World, f mishap.Fault) {
	if w.Remove == nil {
		t.Skip("the target cannot go away")
	}
	injector, all := prepare(t, w, f)
	inject(t, injector, all)
	w.Remove(t)
	revertAll(t, injector, all, mishap.InjectionGone)
	mustVerify(t, injector, all, mishap.No)
}

// answersForEach: one record that cannot be read keeps no other of its call from
// being reverted and looked at.
func answersForEach(t *testing.T, w World, f mishap.Fault) {
	injector, all := prepare(t, w, f)
	if _, batches := injector.(mishap.Batcher); batches != (w.Kind.Batch > 0) {
		t.Fatalf("its kind says that a call takes %d injections, and that the injector takes several is %t", w.Kind.Batch, batches)
	}
	restored, err := w.Kind.Restore(throughJSON(t, all[0]))
	must(t, "restore", err)
	if _, batches := restored.(mishap.Batcher); batches != (w.Kind.Batch > 0) {
		t.Fatal("what is restored does not take as many injections in a call as what prepared them")
	}
	if w.Kind.Batch == 0 || len(all) < 2 {
		t.Skip("each of its injections has a call of its own here")
	}
	before := w.Snapshot(t)
	inject(t, injector, all)
	bad := all[0]
	bad.Undo = json.RawMessage("{}")
	others := all[1:]
	if got := mishap.VerifyAll(callContext(t), restored, append([]mishap.Injection{bad}, others...)); got[1].Err != nil || got[1].Value.InForce != mishap.Yes {
		t.Errorf("verify beside one that cannot be read: in force is %q (%v)", got[1].Value.InForce, got[1].Err)
	}
	got := mishap.RevertAll(callContext(t), restored, append([]mishap.Injection{bad}, others...))
	if got[0].Err == nil || got[1].Err != nil {
		t.Errorf("revert of one that cannot be read: %v, and of one beside it: %v", got[0].Err, got[1].Err)
	}
	revertAll(t, injector, all, w.reverted()...)
	mustBeBack(t, w, injector, all, before, "by reverting beside one that cannot be read")
}

// cutOffInject: whether a call whose time was over took effect or not, the revert is
// right.
func cutOffInject(t *testing.T, w World, f mishap.Fault) {
	injector, all := prepare(t, w, f)
	before := w.Snapshot(t)
	for _, call := range mishap.Calls(all) {
		mishap.InjectAll(over(t), injector, call)
	}
	revertAll(t, injector, all, anyhow()...)
	mustBeBack(t, w, injector, all, before, "by an injecting call that was cut off, and a revert")
}

// cutOffRevert is cutOffInject of a revert that is made again.
func cutOffRevert(t *testing.T, w World, f mishap.Fault) {
	injector, all := prepare(t, w, f)
	before := w.Snapshot(t)
	inject(t, injector, all)
	for _, call := range mishap.Calls(all) {
		mishap.RevertAll(over(t), injector, call)
	}
	revertAll(t, injector, all, anyhow()...)
	mustBeBack(t, w, injector, all, before, "by a revert that was cut off, and another")
}

// over is the context of a call whose time is over.
func over(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// anyhow are the states of what is settled.
func anyhow() []mishap.InjectionState {
	return slices.DeleteFunc(mishap.InjectionStates(), func(s mishap.InjectionState) bool { return !s.Settled() })
}

// permissionsAreWhole: a statement that names no action or resource allows nothing,
// or is no policy.
func permissionsAreWhole(t *testing.T, w World, f mishap.Fault) {
	if w.Kind.Permits == nil {
		t.Skip("what it needs is said in words")
	}
	_, all := prepare(t, w, f)
	for _, call := range mishap.Calls(all) {
		p := w.Kind.Permits(call)
		if len(p.Inject) == 0 || len(p.Revert) == 0 && w.Kind.Class != mishap.Irreversible {
			t.Errorf("it needs %d statements to inject and %d to revert", len(p.Inject), len(p.Revert))
		}
		for _, s := range slices.Concat(p.Inject, p.Revert) {
			if len(s.Actions) == 0 || len(s.Resources) == 0 || slices.Contains(s.Actions, "") || slices.Contains(s.Resources, "") {
				t.Errorf("a statement is not whole: %+v", s)
			}
		}
	}
}
