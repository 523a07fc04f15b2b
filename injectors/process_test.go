package injectors_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"mishap"
	"mishap/injectors"
)

func prepare(t *testing.T, name string, targets map[string]any) ([]mishap.Injection, error) {
	t.Helper()
	f := mishap.Fault{Name: "f", Injector: name, Targets: raw(targets)}
	injector, err := kind(injectors.Deps{}, name).New(f)
	if err != nil {
		t.Fatal(err)
	}
	return injector.Prepare(t.Context(), mishap.Request{Fault: f})
}

func TestAnotherProcessWithTheSamePIDIsNeverTouched(t *testing.T) {
	pid := sleeper(t)
	found, err := prepare(t, "process-stop", map[string]any{"pid": pid})
	if err != nil {
		t.Fatal(err)
	}
	in := found[0]
	var undo map[string]any
	if err := json.Unmarshal(in.Undo, &undo); err != nil {
		t.Fatal(err)
	}
	undo["start"] = 12345 // as if the PID had been given to another process since
	in.Undo = raw(undo)
	injector, err := injectors.Restore(injectors.Deps{}, in)
	if err != nil {
		t.Fatal(err)
	}
	if err := injector.Inject(t.Context(), in); !errors.Is(err, mishap.ErrNoTarget) {
		t.Errorf("inject: %v", err)
	}
	if stateOf(pid) != "running" {
		t.Error("the other process was stopped")
	}
	if r, err := injector.Revert(t.Context(), in); err != nil || r.State != mishap.InjectionGone {
		t.Errorf("revert: %+v, %v", r, err)
	}
}

func TestAProcessThatEndsWhileStoppedIsGone(t *testing.T) {
	pid := sleeper(t)
	found, err := prepare(t, "process-stop", map[string]any{"pid": pid})
	if err != nil {
		t.Fatal(err)
	}
	injector, err := injectors.Restore(injectors.Deps{}, found[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := injector.Inject(t.Context(), found[0]); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil {
		t.Fatal(err)
	}
	if r, err := injector.Revert(t.Context(), found[0]); err != nil || r.State != mishap.InjectionGone {
		t.Errorf("revert: %+v, %v", r, err)
	}
}

func TestAProcessThatIsStoppedAlreadyIsRefused(t *testing.T) {
	pid := sleeper(t)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for stateOf(pid) != "stopped" {
	}
	if _, err := prepare(t, "process-stop", map[string]any{"pid": pid}); err == nil || !strings.Contains(err.Error(), "stopped already") {
		t.Errorf("prepare: %v", err)
	}
}

func TestTheSameSeedPicksTheSameProcesses(t *testing.T) {
	mark := "600." + strconv.Itoa(os.Getpid())
	for range 4 {
		sleeperFor(t, mark)
	}
	targets := map[string]any{"command": "^sleep " + mark, "pick": 2, "seed": 42}
	first, err := prepare(t, "process-stop", targets)
	if err != nil {
		t.Fatal(err)
	}
	again, err := prepare(t, "process-stop", targets)
	if err != nil {
		t.Fatal(err)
	}
	if len(first) != 2 || first[0].Matched != 4 || first[0].Notes[0] != "picked 2 of 4 with seed 42" {
		t.Errorf("picked: %+v", first)
	}
	for i := range first {
		if first[i].Target.ID != again[i].Target.ID {
			t.Errorf("the second time it picked %s, not %s", again[i].Target.ID, first[i].Target.ID)
		}
	}
}

func TestAPIDFileNamesTheProcess(t *testing.T) {
	pid := sleeper(t)
	path := filepath.Join(t.TempDir(), "pid")
	if err := os.WriteFile(path, []byte(strconv.Itoa(pid)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	found, err := prepare(t, "process-stop", map[string]any{"pidFile": path, "name": "sleep"})
	if err != nil || len(found) != 1 {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestAKilledProcessIsGoneAndSaysSo(t *testing.T) {
	pid := sleeper(t)
	found, err := prepare(t, "process-kill", map[string]any{"pid": pid})
	if err != nil {
		t.Fatal(err)
	}
	injector, err := injectors.Restore(injectors.Deps{}, found[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := injector.Inject(t.Context(), found[0]); err != nil {
		t.Fatal(err)
	}
	if e, err := injector.Verify(t.Context(), found[0]); err != nil || e.InForce != mishap.Yes {
		t.Errorf("verify: %+v, %v", e, err)
	}
	if r, err := injector.Revert(t.Context(), found[0]); err != nil || r.State != mishap.InjectionGone {
		t.Errorf("revert: %+v, %v", r, err)
	}
}

func TestBadParametersAreAllReported(t *testing.T) {
	for name, f := range map[string]struct {
		fault mishap.Fault
		want  []string
	}{
		"process-stop":  {mishap.Fault{Targets: raw(map[string]any{"pick": -1, "nme": "x"}), With: raw(map[string]any{"signal": "x"})}, []string{"targets.nme", "targets: name no process", "with.signal"}},
		"exec":          {mishap.Fault{With: raw(map[string]any{"inject": "rm -rf x", "diesWith": "nothing"}), Targets: raw(map[string]any{"a": 1})}, []string{"with.inject: must be a list", "with.revert: is missing", "with.verify: is missing", "with.diesWith: a fault that dies with nothing", "targets: exec has no targets"}},
		"proxy-latency": {mishap.Fault{With: raw(map[string]any{"delay": "1ms", "jitter": "2ms", "direction": "up"})}, []string{"with.jitter", "with.direction", "targets.proxy: is missing"}},
		"ec2-stop":      {mishap.Fault{Targets: raw(map[string]any{"pick": 1, "share": "5%"})}, []string{"targets.pick: pick and share exclude each other", "targets: name no instance"}},
	} {
		_, err := kind(injectors.Deps{}, name).New(f.fault)
		for _, want := range f.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: missing %q in %v", name, want, err)
			}
		}
	}
}
