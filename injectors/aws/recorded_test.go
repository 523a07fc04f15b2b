package aws_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mishap"
	"mishap/internal/formattest"
)

func TestAStoppedInstanceThatWasRecordedBeforeIsStarted(t *testing.T) {
	w := memoryEC2World()
	f := w.Fault(t)
	injector, err := w.Kind.New(f)
	if err != nil {
		t.Fatal(err)
	}
	found, err := injector.Prepare(t.Context(), mishap.Request{Run: "run", Fault: f})
	if err != nil {
		t.Fatal(err)
	}
	found[0].ID, found[0].Run, found[0].Fault = "run.1.1", "run", f.Name
	// The target's id was the instance's, and is its ARN now: all else is what it was.
	before := formattest.Undo(t, formattest.Record{Fault: f, Injection: found[0]}, true)
	if diff := cmp.Diff(before.Keys, found[0].Keys); diff != "" || !jsonEqual(before.Undo, found[0].Undo) {
		t.Errorf("undo %s, it was %s; keys: %s", found[0].Undo, before.Undo, diff)
	}
	untouched := w.Snapshot(t)
	if err := injector.Inject(t.Context(), found[0]); err != nil {
		t.Fatal(err)
	}
	stopped := w.Snapshot(t)
	other, err := w.Kind.Restore(before)
	if err != nil {
		t.Fatal(err)
	}
	got, err := other.Revert(t.Context(), before)
	if now := w.Snapshot(t); err != nil || got.State != mishap.InjectionReverted || now != untouched || stopped == untouched {
		t.Errorf("revert: %+v, %v; stopped %s, then %s", got, err, stopped, now)
	}
}

func jsonEqual(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}
