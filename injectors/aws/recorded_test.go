package aws_test

import (
	"testing"

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
	before := formattest.Undo(t, formattest.Record{Fault: f, Injection: found[0]}, false)
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
