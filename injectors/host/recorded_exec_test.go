package host_test

import (
	"testing"

	"mishap"
	"mishap/injectors/host"
	"mishap/internal/formattest"
)

// TestAnExecFaultThatWasRecordedBeforeIsReverted: its revert gets what prepare
// printed then, and fails on anything else.
func TestAnExecFaultThatWasRecordedBeforeIsReverted(t *testing.T) {
	t.Setenv("PATH", "/usr/local/bin:/usr/bin:/bin")
	f := fault("exec", nil, execWith("/", map[string]any{
		"prepare": []string{"echo", "kept"}, "revert": shell(`test "$(cat)" = kept`), "verify": shell("exit 1"),
		"env": map[string]any{"PLAIN": "text", "TOKEN": map[string]string{"env": "TOKEN"}}, "key": "lamp",
	}))
	deps := host.Deps{Secret: func(mishap.Secret) (string, error) { return "unsaid", nil }}
	_, found, err := prepared(t, deps, f)
	if err != nil {
		t.Fatal(err)
	}
	before := formattest.Undo(t, formattest.Record{Fault: f, Injection: found[0]}, false)
	injector, err := kind(deps, before.Injector).Restore(before)
	if err != nil {
		t.Fatal(err)
	}
	if err := injector.Inject(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	if got, err := injector.Revert(t.Context(), before); err != nil || got.State != mishap.InjectionReverted {
		t.Errorf("revert: %+v, %v", got, err)
	}
	before.Undo = raw(map[string]any{"prepared": []byte("other"), "dir": "/", "path": "/usr/bin:/bin"})
	if got, err := injector.Revert(t.Context(), before); err == nil {
		t.Errorf("the revert command was not given the undo: %+v", got)
	}
}
