package usestest

import (
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mishap"
)

// Cases are the cases of one kind, by name. They are made where a kind's system is
// set up, once for each case.
type Cases func(t *testing.T) map[string]Case

// Every checks the cases of each kind of a catalog, by the name of the kind. It
// fails for a kind that has none, and for a parameter that is in no case of its
// kind.
func Every(t *testing.T, kinds []mishap.Kind, all map[string]Cases) {
	t.Helper()
	for _, k := range kinds {
		t.Run(k.Name, func(t *testing.T) {
			make, ok := all[k.Name]
			if !ok {
				t.Fatal("it has no case, so that nobody sees what it really uses")
			}
			cases := make(t)
			var with []json.RawMessage
			for _, c := range cases {
				with = append(with, c.With)
			}
			Covers(t, "with", k.Params, with)
			for _, name := range slices.Sorted(maps.Keys(cases)) {
				t.Run(name, func(t *testing.T) { Check(t, cases[name]) })
			}
		})
	}
}

// Covers fails the test unless each parameter of a kind is given somewhere: what
// one makes a kind use, another may not. Params is the struct that they are read
// into.
func Covers(t *testing.T, where string, params any, given []json.RawMessage) {
	t.Helper()
	if _, watched := os.LookupEnv(folderFromEnv); watched || params == nil {
		return // it is for the process that has all cases
	}
	missing := map[string]bool{}
	for _, f := range reflect.VisibleFields(reflect.TypeOf(params)) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			missing[name] = true
		}
	}
	for _, raw := range given {
		keys := map[string]json.RawMessage{}
		if len(raw) > 0 {
			if err := json.Unmarshal(raw, &keys); err != nil {
				t.Fatal(err)
			}
		}
		for name := range keys {
			delete(missing, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		t.Errorf("no case has %s.%s, so that nobody sees what it makes the kind use", where, name)
	}
}
