package injectortest

import (
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"slices"
	"testing"

	"mishap"
)

// Catalog tests every guarantee of every kind, in the world that there is for it.
// Kinds for Linux alone are skipped where they have none.
func Catalog(t *testing.T, kinds []mishap.InjectorKind, worlds map[string]World) {
	for _, k := range kinds {
		t.Run(k.Name, func(t *testing.T) {
			w, ok := worlds[k.Name]
			switch {
			case ok:
				Conform(t, w)
			case k.LinuxOnly && runtime.GOOS != "linux":
				t.Skip("it works only on Linux")
			default:
				t.Fatal("the conformance suite has no world for it")
			}
		})
	}
	for name := range worlds {
		if !slices.ContainsFunc(kinds, func(k mishap.InjectorKind) bool { return k.Name == name }) {
			t.Errorf("there is a world for %s, which the catalog does not list", name)
		}
	}
}

// Find is the kind with that name.
func Find(kinds []mishap.InjectorKind, name string) mishap.InjectorKind {
	for _, k := range kinds {
		if k.Name == name {
			return k
		}
	}
	panic("no injector " + name)
}

// Raw is the value as JSON; a text is taken for JSON already.
func Raw(v any) json.RawMessage {
	switch text, ok := v.(string); {
	case v == nil:
		return nil
	case ok:
		return json.RawMessage(text)
	}
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}

// Fault is a fault with that name for its injector.
func Fault(injector string, targets, with any) mishap.Fault {
	return mishap.Fault{Name: "fault", Injector: injector, Targets: Raw(targets), With: Raw(with)}
}

// Prepared makes an injector and its injections, and reverts them at the end.
func Prepared(t *testing.T, k mishap.InjectorKind, f mishap.Fault) (mishap.Injector, []mishap.Injection, error) {
	t.Helper()
	injector, err := k.New(f)
	if err != nil {
		t.Fatalf("make injector: %v", err)
	}
	found, err := injector.Prepare(t.Context(), mishap.Request{Run: "run", Fault: f})
	for i := range found {
		found[i].ID, found[i].Run, found[i].Fault = "run.1.1", "run", f.Name
	}
	t.Cleanup(func() {
		for _, in := range found {
			_, _ = injector.Revert(context.Background(), in)
		}
	})
	return injector, found, err
}

// Paths lists the places that joined field errors name.
func Paths(err error) []string {
	var field *mishap.FieldError
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []string
		for _, e := range joined.Unwrap() {
			all = append(all, Paths(e)...)
		}
		slices.Sort(all)
		return all
	}
	if errors.As(err, &field) {
		return []string{field.Path}
	}
	return nil
}
