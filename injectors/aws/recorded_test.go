package aws_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mishap"
	"mishap/internal/formattest"
)

// TestWhatWasRecordedBeforeIsReverted is about records of every fault, as an earlier
// version wrote them.
func TestWhatWasRecordedBeforeIsReverted(t *testing.T) {
	for name, w := range worlds() {
		t.Run(name, func(t *testing.T) {
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
			// The id of ec2-stop's target was the instance's, and is its ARN now.
			before := formattest.Undo(t, formattest.Record{Fault: f, Injection: found[0]}, true)
			if diff := cmp.Diff(before.Keys, found[0].Keys); diff != "" || !sameFields(before.Undo, found[0].Undo) {
				t.Errorf("undo %s, it was %s; keys: %s", found[0].Undo, before.Undo, diff)
			}
			untouched := w.Snapshot(t)
			if err := injector.Inject(t.Context(), found[0]); err != nil {
				t.Fatal(err)
			}
			injected := w.Snapshot(t)
			other, err := w.Kind.Restore(before)
			if err != nil {
				t.Fatal(err)
			}
			got, err := other.Revert(t.Context(), before)
			want, left := mishap.InjectionReverted, untouched
			if !undoes(w.Kind) {
				want, left = got.State, injected
			}
			if now := w.Snapshot(t); err != nil || got.State != want || now != left || injected == untouched {
				t.Errorf("revert: %+v, %v; it was %s, then %s, and is %s", got, err, untouched, injected, now)
			}
		})
	}
}

// sameFields compares values as well, but for those that are another each time.
func sameFields(a, b json.RawMessage) bool {
	var x, y map[string]any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	for _, one := range []map[string]any{x, y} {
		if one[undoBefore] != nil {
			one[undoBefore] = "some"
		}
	}
	return reflect.DeepEqual(x, y)
}

const undoBefore = "before"
