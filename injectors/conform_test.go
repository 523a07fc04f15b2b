package injectors_test

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"mishap"
	"mishap/injectors"
	"mishap/internal/injectortest"
)

// worlds has, for every injector of the catalog, a system that the conformance
// suite can break.
func worlds(t *testing.T) map[string]injectortest.World {
	all := map[string]injectortest.World{"ec2-stop": memoryEC2World(), "exec": execWorld()}
	maps.Copy(all, proxyWorlds(t))
	maps.Copy(all, platformWorlds())
	return all
}

func TestEveryInjectorOfTheCatalogConforms(t *testing.T) {
	all := worlds(t)
	for _, k := range injectors.Catalog(injectors.Deps{}) {
		t.Run(k.Name, func(t *testing.T) {
			w, ok := all[k.Name]
			switch {
			case ok:
				injectortest.Conform(t, w)
			case skippedHere(k):
				t.Skip("it works only on Linux")
			default:
				t.Fatal("the conformance suite has no world for it")
			}
		})
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !slices.ContainsFunc(injectors.Catalog(injectors.Deps{}), func(k mishap.InjectorKind) bool { return k.Name == name }) {
			t.Errorf("there is a world for %s, which the catalog does not list", name)
		}
	}
}

func TestEC2StopConformsToAServerOfItsAPI(t *testing.T) {
	w, ok := ec2World(t)
	if !ok {
		t.Skip("moto_server is not installed")
	}
	injectortest.Conform(t, w)
}

// kind is one entry of the catalog.
func kind(d injectors.Deps, name string) mishap.InjectorKind {
	for _, k := range injectors.Catalog(d) {
		if k.Name == name {
			return k
		}
	}
	panic("no injector " + name)
}

// world knows the injector, and how to restore it.
func world(d injectors.Deps, name string) injectortest.World {
	return injectortest.World{
		Kind:    kind(d, name),
		Restore: func(in mishap.Injection) (mishap.Injector, error) { return injectors.Restore(d, in) },
	}
}

// raw is the value as JSON; a text is taken for JSON already.
func raw(v any) json.RawMessage {
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

// fault is a fault with that name for its injector.
func fault(injector string, targets, with any) mishap.Fault {
	return mishap.Fault{Name: "fault", Injector: injector, Targets: raw(targets), With: raw(with)}
}

// prepared makes an injector and its injections, and reverts them at the end.
func prepared(t *testing.T, d injectors.Deps, f mishap.Fault) (mishap.Injector, []mishap.Injection, error) {
	t.Helper()
	injector, err := kind(d, f.Injector).New(f)
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
