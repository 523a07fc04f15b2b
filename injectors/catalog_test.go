package injectors_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"mishap"
	"mishap/injectors"
	"mishap/internal/formattest"
)

func TestCatalogIsSortedAndDescribesItself(t *testing.T) {
	var names []string
	for _, k := range injectors.Catalog(injectors.Deps{}) {
		names = append(names, k.Name)
		if k.Summary == "" || k.Doc == "" || k.WhenLost == "" || k.Keeper == "" || len(k.Do) == 0 || k.New == nil || k.Restore == nil {
			t.Errorf("%s leaves out what a person needs to know: %+v", k.Name, k)
		}
		if !slices.Contains(mishap.Symptoms(), k.Symptom) {
			t.Errorf("%s does not say what whoever depends on its target sees: %q", k.Name, k.Symptom)
		}
		if k.Class != mishap.Irreversible && len(k.Undo) == 0 {
			t.Errorf("%s does not say what reverting needs", k.Name)
		}
		if !strings.Contains(k.Example, "injector: "+k.Name+"\n") || !strings.Contains(k.Example, "for: ") {
			t.Errorf("%s has no example of its use: %q", k.Name, k.Example)
		}
		for _, params := range []any{k.Params, k.Targets} {
			for _, f := range mishap.Fields(params) {
				if f.Doc == "" {
					t.Errorf("%s does not say what %s means", k.Name, f.Name)
				}
			}
		}
	}
	if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("names are not sorted, or not unique: %v", names)
	}
}

func TestWhatTheCatalogMakesIsRestoredFromItsRecord(t *testing.T) {
	for _, k := range injectors.Catalog(injectors.Deps{}) {
		injector, err := mishap.Restore(injectors.Recorded(injectors.Deps{}), mishap.Injection{Injector: k.Name})
		if err != nil {
			t.Errorf("restore %s: %v", k.Name, err)
			continue
		}
		made, _ := k.New(mishap.Fault{Injector: k.Name})
		if reflect.TypeOf(injector) != reflect.TypeOf(made) {
			t.Errorf("%s is restored as %T, and made as %T", k.Name, injector, made)
		}
	}
}

func TestEveryRecordOfBeforeNamesAnInjectorThatIsRestored(t *testing.T) {
	for _, name := range formattest.Names(t, "undo") {
		if _, err := mishap.Restore(injectors.Recorded(injectors.Deps{}), mishap.Injection{Injector: strings.TrimSuffix(name, ".json")}); err != nil {
			t.Error(err)
		}
	}
}

func TestRestoreOfAnUnknownInjectorIsAnErrorWithAHint(t *testing.T) {
	_, err := mishap.Restore(injectors.Recorded(injectors.Deps{}), mishap.Injection{ID: "run.1.1", Injector: "moon-eclipse"})
	if _, hinted := err.(*mishap.Hinted); !hinted {
		t.Errorf("the error is %v, want one with a hint", err)
	}
}
