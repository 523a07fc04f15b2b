package main

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
	"go.yaml.in/yaml/v3"

	"mishap/internal/demo"
)

// TestTheSchemaOfTheSettingsKnowsWhatIsRead: no more, and no less.
func TestTheSchemaOfTheSettingsKnowsWhatIsRead(t *testing.T) {
	var out bytes.Buffer
	if code := run(t.Context(), environment{args: []string{"config", "--schema"}, out: &out, err: os.Stderr}); code != 0 {
		t.Fatalf("exit %d", code)
	}
	var schema jsonschema.Schema
	if err := json.Unmarshal(out.Bytes(), &schema); err != nil {
		t.Fatal(err)
	}
	resolved, err := schema.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	shop, err := demo.NewShop(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"../../mishap.yaml", shop.Settings()} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := resolved.Validate(parsed(t, string(text))); err != nil {
			t.Errorf("%s is refused: %v", file, err)
		}
	}
	for text, ok := range map[string]bool{
		"governor: {freezes: [{name: pager, probe: http, with: {url: 'http://x'}}]}": true,
		"accounts: [111122223333, '444455556666', {id: '1', role: arn}]":             true,
		"lease: 10s":                           true,
		"lease: [10s]":                         false,
		"nonsense: 1":                          false,
		"proxies: [{name: a, lisen: 1.2.3.4}]": false,
	} {
		if err := resolved.Validate(parsed(t, text)); (err == nil) != ok {
			t.Errorf("%q: %v, want it to be right: %t", text, err, ok)
		}
	}
}

// parsed is what a YAML file says, as JSON has it.
func parsed(t *testing.T, text string) (value any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	value = nil
	if err := json.Unmarshal(again, &value); err != nil {
		t.Fatal(err)
	}
	return value
}
