// Package injectortest is the conformance suite of injectors: what every entry
// of the catalog must obey, whatever its fault.
package injectortest

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"mishap"
)

// World is a small system that one injector can break.
type World struct {
	Kind    mishap.InjectorKind
	Restore func(mishap.Injection) (mishap.Injector, error)
	// Fault has one target in a fresh system; it is called once per test.
	Fault func(t *testing.T) mishap.Fault
	// Empty is a fault whose selection finds nothing.
	Empty mishap.Fault
	// Snapshot is the state of the system in words; equal means untouched.
	Snapshot func(t *testing.T) string
}

const callTimeout = 10 * time.Second

// Conform runs the suite.
func Conform(t *testing.T, w World) {
	t.Run("prepare changes nothing and captures all that reverting needs", w.prepareReadsOnly)
	t.Run("a selection that finds nothing is an error", w.emptyIsAnError)
	t.Run("what was injected is in force, and reverted is not", w.roundTrip)
	t.Run("inject may be repeated", w.injectTwice)
	t.Run("revert may be repeated", w.revertTwice)
	t.Run("revert is right when inject never ran", w.revertAlone)
	t.Run("another process reverts from the record alone", w.revertRestored)
}

// prepared is an injection as the runner records it.
func (w World) prepared(t *testing.T) (mishap.Injector, mishap.Injection) {
	t.Helper()
	f := w.Fault(t)
	injector, err := w.Kind.New(f)
	must(t, "make injector", err)
	found, err := injector.Prepare(ctx(t), mishap.Request{Run: "run1", Fault: f, Limit: mishap.BlastRadius{Targets: 1}})
	must(t, "prepare", err)
	if len(found) != 1 {
		t.Fatalf("prepare found %d targets, want 1", len(found))
	}
	in := found[0]
	in.ID, in.Run, in.Fault, in.For = "run1.1.1", "run1", f.Name, f.For
	t.Cleanup(func() { _, _ = injector.Revert(context.Background(), in) })
	return injector, in
}

func (w World) prepareReadsOnly(t *testing.T) {
	f := w.Fault(t)
	before := w.Snapshot(t)
	injector, err := w.Kind.New(f)
	must(t, "make injector", err)
	found, err := injector.Prepare(ctx(t), mishap.Request{Run: "plan", Fault: f})
	must(t, "prepare", err)
	if after := w.Snapshot(t); after != before {
		t.Errorf("prepare changed the system from %s to %s", before, after)
	}
	keys := map[string]bool{}
	for _, in := range found {
		if in.Injector != w.Kind.Name || in.Target.ID == "" || in.Target.Kind == "" || in.Matched < 1 || len(in.Undo) == 0 || len(in.Keys) == 0 {
			t.Errorf("incomplete injection: %+v", in)
		}
		for _, k := range in.Keys {
			if keys[k] {
				t.Errorf("key %s comes twice", k)
			}
			keys[k] = true
		}
	}
}

func (w World) emptyIsAnError(t *testing.T) {
	injector, err := w.Kind.New(w.Empty)
	must(t, "make injector", err)
	if found, err := injector.Prepare(ctx(t), mishap.Request{Run: "plan", Fault: w.Empty}); !errors.Is(err, mishap.ErrNoTarget) {
		t.Errorf("prepare answers %d injections and %v, want ErrNoTarget", len(found), err)
	}
}

func (w World) roundTrip(t *testing.T) {
	injector, in := w.prepared(t)
	before := w.Snapshot(t)
	w.inForce(t, injector, in, mishap.No)
	must(t, "inject", injector.Inject(ctx(t), in))
	w.inForce(t, injector, in, mishap.Yes)
	if w.Snapshot(t) == before {
		t.Error("the fault does not show in the system")
	}
	w.reverts(t, injector, in)
	w.inForce(t, injector, in, mishap.No)
	if after := w.Snapshot(t); after != before {
		t.Errorf("the system was %s, and is %s after the revert", before, after)
	}
}

func (w World) injectTwice(t *testing.T) {
	injector, in := w.prepared(t)
	must(t, "inject", injector.Inject(ctx(t), in))
	must(t, "inject again", injector.Inject(ctx(t), in))
	w.inForce(t, injector, in, mishap.Yes)
	w.reverts(t, injector, in)
	w.inForce(t, injector, in, mishap.No)
}

func (w World) revertTwice(t *testing.T) {
	injector, in := w.prepared(t)
	must(t, "inject", injector.Inject(ctx(t), in))
	w.reverts(t, injector, in)
	w.reverts(t, injector, in)
}

func (w World) revertAlone(t *testing.T) {
	injector, in := w.prepared(t)
	before := w.Snapshot(t)
	w.reverts(t, injector, in)
	if after := w.Snapshot(t); after != before {
		t.Errorf("reverting what was never injected changed the system from %s to %s", before, after)
	}
}

func (w World) revertRestored(t *testing.T) {
	injector, in := w.prepared(t)
	before := w.Snapshot(t)
	must(t, "inject", injector.Inject(ctx(t), in))
	record, err := json.Marshal(in)
	must(t, "record", err)
	var read mishap.Injection
	must(t, "read record", json.Unmarshal(record, &read))
	other, err := w.Restore(read)
	must(t, "restore", err)
	w.inForce(t, other, read, mishap.Yes)
	w.reverts(t, other, read)
	if after := w.Snapshot(t); after != before {
		t.Errorf("the system was %s, and is %s after the revert", before, after)
	}
}

func (w World) inForce(t *testing.T, injector mishap.Injector, in mishap.Injection, want mishap.Answer) {
	t.Helper()
	e, err := injector.Verify(ctx(t), in)
	must(t, "verify", err)
	if e.InForce != want {
		t.Errorf("in force: %s (%s), want %s", e.InForce, e.Detail, want)
	}
}

func (w World) reverts(t *testing.T, injector mishap.Injector, in mishap.Injection) {
	t.Helper()
	r, err := injector.Revert(ctx(t), in)
	must(t, "revert", err)
	if !r.State.Settled() {
		t.Errorf("revert answers %q", r.State)
	}
}

func ctx(t *testing.T) context.Context {
	c, cancel := context.WithTimeout(t.Context(), callTimeout)
	t.Cleanup(cancel)
	return c
}

func must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}
