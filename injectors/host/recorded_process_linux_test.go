package host_test

import (
	"encoding/json"
	"os"
	"testing"

	"mishap"
	"mishap/injectors/host"
	"mishap/internal/formattest"
)

// TestAFaultOnAProcessThatWasRecordedBeforeIsReverted: of the record, only which
// process it was is replaced.
func TestAFaultOnAProcessThatWasRecordedBeforeIsReverted(t *testing.T) {
	if id, err := os.ReadFile("/etc/machine-id"); err != nil || len(id) == 0 {
		t.Skip("this machine has no id, which the record has")
	}
	for name, want := range map[string]mishap.InjectionState{"process-stop": mishap.InjectionReverted, "process-kill": mishap.InjectionGone} {
		t.Run(name, func(t *testing.T) {
			child := spawn(t, "sleep", "1000")
			f := fault(name, map[string]int{"pid": child.Process.Pid}, nil)
			_, found, err := prepared(t, host.Deps{}, f)
			if err != nil {
				t.Fatal(err)
			}
			before := formattest.Undo(t, formattest.Record{Fault: f, Injection: found[0]}, true)
			before = edited(t, before, func(undo map[string]any) { sameProcess(t, undo, found[0].Undo) })
			injector, err := kind(host.Deps{}, before.Injector).Restore(before)
			if err != nil {
				t.Fatal(err)
			}
			if err := injector.Inject(t.Context(), before); err != nil {
				t.Fatal(err)
			}
			if got, err := injector.Verify(t.Context(), before); err != nil || got.InForce != mishap.Yes {
				t.Errorf("verify: %+v, %v", got, err)
			}
			if got, err := injector.Revert(t.Context(), before); err != nil || got.State != want {
				t.Errorf("revert: %+v, %v", got, err)
			}
		})
	}
}

// sameProcess puts the values of today under the keys of before.
func sameProcess(t *testing.T, undo map[string]any, today json.RawMessage) {
	t.Helper()
	var now map[string]any
	if err := json.Unmarshal(today, &now); err != nil {
		t.Fatal(err)
	}
	for key := range undo {
		if undo[key] = now[key]; now[key] == nil {
			t.Errorf("undo has no %q any more", key)
		}
	}
}
