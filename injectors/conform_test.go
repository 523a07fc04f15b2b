package injectors_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mishap"
	"mishap/injectors"
	"mishap/internal/injectortest"
)

// worlds has a system for every injector of the catalog; one without an undo
// cannot make the round trip.
func worlds(t *testing.T) map[string]injectortest.World {
	all := map[string]injectortest.World{"process-stop": processWorld(), "exec": execWorld(t), "proxy-latency": proxyWorld(t)}
	if w, ok := ec2World(t); ok {
		all["ec2-stop"] = w
	}
	return all
}

func TestEveryInjectorOfTheCatalogConforms(t *testing.T) {
	all := worlds(t)
	for _, kind := range injectors.Catalog(injectors.Deps{}) {
		if kind.Irreversible {
			continue
		}
		t.Run(kind.Name, func(t *testing.T) {
			w, ok := all[kind.Name]
			if !ok && kind.Name == "ec2-stop" {
				t.Skip("moto_server is not installed: ec2-stop is not tested")
			}
			if !ok {
				t.Fatal("there is no world for it in this test")
			}
			injectortest.Conform(t, w)
		})
	}
}

func TestEveryKindDescribesItself(t *testing.T) {
	for _, k := range injectors.Catalog(injectors.Deps{Lease: time.Second}) {
		if k.Summary == "" || k.Doc == "" || k.Example == "" || k.WhenLost == "" || len(k.Do) == 0 || k.Keeper == "" || !k.Irreversible && len(k.Undo) == 0 {
			t.Errorf("%s is not described: %+v", k.Name, k)
		}
		if _, err := injectors.Restore(injectors.Deps{}, mishap.Injection{Injector: k.Name}); err != nil {
			t.Errorf("%s cannot be restored: %v", k.Name, err)
		}
	}
}

func kind(d injectors.Deps, name string) mishap.InjectorKind {
	for _, k := range injectors.Catalog(d) {
		if k.Name == name {
			return k
		}
	}
	panic("no injector " + name)
}

func world(d injectors.Deps, name string) injectortest.World {
	return injectortest.World{
		Kind:    kind(d, name),
		Restore: func(in mishap.Injection) (mishap.Injector, error) { return injectors.Restore(d, in) },
	}
}

// sleeper starts a process that does nothing for long.
func sleeper(t *testing.T) int { return sleeperFor(t, "600") }

func sleeperFor(t *testing.T, seconds string) int {
	t.Helper()
	c := exec.Command("sleep", seconds)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	return c.Process.Pid
}

// stateOf is the letter that the kernel gives the process.
func stateOf(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "gone"
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	if rest[0] == 'T' {
		return "stopped"
	}
	return "running"
}

func raw(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}

func processWorld() injectortest.World {
	w := world(injectors.Deps{}, "process-stop")
	var pid int
	w.Fault = func(t *testing.T) mishap.Fault {
		pid = sleeper(t)
		return mishap.Fault{Name: "stop", Injector: "process-stop", Targets: raw(map[string]any{"pid": pid})}
	}
	w.Empty = mishap.Fault{Name: "stop", Injector: "process-stop", Targets: raw(map[string]any{"name": "nobody-is-called-so"})}
	w.Snapshot = func(*testing.T) string { return stateOf(pid) }
	return w
}

func execWorld(t *testing.T) injectortest.World {
	w := world(injectors.Deps{}, "exec")
	file := filepath.Join(t.TempDir(), "flag")
	with := map[string]any{
		"prepare": map[string]string{"shell": "echo before"}, "inject": map[string]string{"shell": "cat > " + file},
		"revert": []string{"rm", "-f", file}, "diesWith": "boot",
	}
	with["verify"] = map[string]string{"shell": "test -e " + file}
	w.Fault = func(*testing.T) mishap.Fault { return mishap.Fault{Name: "flag", Injector: "exec", With: raw(with)} }
	missing := map[string]any{"inject": []string{"no-such-command-here"}, "revert": []string{"true"}, "verify": []string{"true"}, "diesWith": "boot"}
	w.Empty = mishap.Fault{Name: "flag", Injector: "exec", With: raw(missing)}
	w.Snapshot = func(*testing.T) string { text, _ := os.ReadFile(file); return string(text) }
	return w
}
