package experiments_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/jsonschema-go/jsonschema"

	"mishap/experiments"
)

// resolved returns the schema, ready to validate with.
func resolved(t *testing.T, c experiments.Catalogs) *jsonschema.Resolved {
	t.Helper()
	data, err := experiments.Schema(c)
	if err != nil {
		t.Fatal(err)
	}
	var s jsonschema.Schema
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	r, err := s.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// document reads YAML as JSON would be.
func document(t *testing.T, data []byte) any {
	t.Helper()
	asJSON, err := yaml.YAMLToJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(asJSON, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSchemaAcceptsWhatLoadReads(t *testing.T) {
	schema := resolved(t, catalogs())
	for _, path := range []string{"testdata/valid.yaml", "testdata/full.yaml", "testdata/compare.yaml"} {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(document(t, data)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestSchemaRefusesWhatLoadRefuses(t *testing.T) {
	schema := resolved(t, catalogs())
	for _, name := range []string{
		"bad-name", "bad-phases", "bad-values", "compare", "compare-shapes", "empty-lists", "empty-when", "kind-problems", "list", "long-name",
		"missing-everything", "missing-inside", "null-value", "settings", "text", "text-as-number",
		"unknown-keys", "unknown-kinds", "version-2", "version-text", "wrong-types",
	} {
		data, err := os.ReadFile(filepath.Join("testdata/invalid", name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(document(t, data)); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestSchemaIsClosedAndStable(t *testing.T) {
	first, err := experiments.Schema(catalogs())
	if err != nil {
		t.Fatal(err)
	}
	second, err := experiments.Schema(catalogs())
	if err != nil || string(first) != string(second) {
		t.Errorf("schema differs between two calls (%v)", err)
	}
	for _, want := range []string{"draft/2020-12/schema", `"a name from the catalog of injectors"`, `"proxy-latency"`, `"time added"`} {
		if !strings.Contains(string(first), want) {
			t.Errorf("schema does not hold %s", want)
		}
	}
}
