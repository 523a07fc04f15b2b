package catalog

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mishap"
	"mishap/internal/config"
)

// places are the paths of a type at which a secret may stand, and those of fields
// that by their names hold what secrets are written in, but take no reference.
func places(t reflect.Type, path []string) (secrets, texts [][]string) {
	at := func(key string) []string { return append(slices.Clone(path), key) }
	both := func(t reflect.Type, path []string) {
		s, x := places(t, path)
		secrets, texts = append(secrets, s...), append(texts, x...)
	}
	switch {
	case t == reflect.TypeFor[mishap.Secret]():
		return [][]string{path}, nil
	case t.Kind() == reflect.Pointer:
		both(t.Elem(), path)
	case t.Kind() == reflect.Slice && t != reflect.TypeFor[json.RawMessage]():
		both(t.Elem(), at("[]"))
	case t.Kind() == reflect.Map:
		both(t.Elem(), at("X-Api-Key"))
	case t.Kind() == reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if f.Anonymous && name == "" {
				both(f.Type, path)
				continue
			}
			if !f.IsExported() || name == "-" {
				continue
			}
			before := len(secrets)
			both(f.Type, at(name))
			if len(secrets) == before && slices.Contains([]string{"url", "uri", "headers", "header", "env", "cookies", "token", "password", "secret"}, strings.ToLower(name)) {
				texts = append(texts, at(name))
			}
		}
	}
	return secrets, texts
}

// wrapped is JSON with a text at a path.
func wrapped(path []string, text string) json.RawMessage {
	var v any = text
	for _, key := range slices.Backward(path) {
		if key == "[]" {
			v = []any{v}
			continue
		}
		v = map[string]any{key: v}
	}
	data, _ := json.Marshal(v)
	return data
}

// A fault matches traffic by these; they are no values that mishap sends.
var matchesTraffic = []string{"headers", "cookies"}

func TestNoKindTakesASecretInPlainText(t *testing.T) {
	kinds := New(Options{Settings: new(config.Settings)}).Checked()
	found := 0
	check := func(kind, in string, params any, ask func(json.RawMessage) error) {
		if params == nil {
			return
		}
		secrets, texts := places(reflect.TypeOf(params), nil)
		for _, path := range texts {
			if !strings.HasPrefix(kind, "injector proxy-") || !slices.Contains(matchesTraffic, path[len(path)-1]) {
				t.Errorf("%s: %s.%s takes no reference, so that a secret can only be in plain text", kind, in, strings.Join(path, "."))
			}
		}
		for _, path := range secrets {
			found++
			for _, text := range []string{"http://ann:hunter2@a.example/", "https://a.example/?access_token=hunter2"} {
				err := ask(wrapped(path, text))
				where := in + "." + strings.Join(path, ".")
				if err == nil || !strings.Contains(err.Error(), where) || !strings.Contains(err.Error(), "plain text") || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("%s says %v of a secret at %s", kind, err, where)
				}
			}
		}
	}
	for _, k := range kinds.Probes {
		check("probe "+k.Name, "with", k.Params, func(raw json.RawMessage) error {
			_, err := k.New(mishap.ProbeSpec{Probe: k.Name, With: raw})
			return err
		})
		check("probe "+k.Name, "expect", k.Expect, func(raw json.RawMessage) error {
			_, err := k.New(mishap.ProbeSpec{Probe: k.Name, Expect: raw})
			return err
		})
	}
	for _, k := range kinds.Injectors {
		check("injector "+k.Name, "with", k.Params, func(raw json.RawMessage) error {
			_, err := k.New(mishap.Fault{Injector: k.Name, With: raw})
			return err
		})
		check("injector "+k.Name, "targets", k.Targets, func(raw json.RawMessage) error {
			_, err := k.New(mishap.Fault{Injector: k.Name, Targets: raw})
			return err
		})
	}
	for _, k := range kinds.Safeguards {
		check("safeguard "+k.Name, "with", k.Params, func(raw json.RawMessage) error {
			_, err := k.New(raw)
			return err
		})
	}
	for _, k := range kinds.Sources {
		check("source "+k.Name, "with", k.Params, func(raw json.RawMessage) error {
			return k.Check(mishap.CompareMetric{Source: k.Name, With: raw})
		})
	}
	if found < 10 {
		t.Errorf("only %d places for secrets were found", found)
	}
}

func TestASecretInPlainTextIsNamedWithItsPlaceAndTheLineToWriteAndNeverShown(t *testing.T) {
	const before = "version: 1\nname: x\nclaim: y\nblastRadius: {targets: 1}\nsteadyState:\n"
	const http = "  - name: p\n    probe: http\n    with: {url: http://a.example}\n"
	const fault = "faults:\n  - name: f\n    injector: exec\n    for: 1s\n    with: {inject: [a], revert: [b], verify: [c]}\n"
	for name, c := range map[string]struct{ text, place, hint string }{
		"user of a URL":  {before + "  - name: p\n    probe: http\n    with: {url: 'http://ann:hunter2@a.example', color: red}\n" + fault, ":8:17: with.url: has a user or password in plain text", "write url: {env: NAME} or {file: PATH}"},
		"a header":       {before + "  - name: p\n    probe: http\n    with:\n      url: http://a.example\n      headers:\n        Cookie: session=hunter2\n" + fault, ":11:17: with.headers.Cookie", "write Cookie: {env: NAME}"},
		"prometheus":     {before + "  - name: p\n    probe: prometheus\n    with: {url: http://a.example, query: up, headers: {Authorization: Bearer hunter2}}\n    expect: {value: '> 1'}\n" + fault, ":8:71: with.headers.Authorization", "write Authorization: {env: NAME}"},
		"a variable":     {before + http + "faults:\n  - name: f\n    injector: exec\n    for: 1s\n    with: {inject: [a], revert: [b], verify: [c], env: {DB_PASSWORD: hunter2}}\n", ":13:70: with.env.DB_PASSWORD", "write DB_PASSWORD: {env: NAME}"},
		"a calendar":     {before + http + fault + "safeguards:\n  - safeguard: calendar\n    with: {timezone: UTC, url: 'https://a.example/x.ics?token=hunter2'}\n", ":16:32: with.url: has the parameter token", "write url: {env: NAME}"},
		"an inner probe": {before + http + fault + "safeguards:\n  - safeguard: probe\n    with:\n      probe: http\n      with: {url: 'http://hunter2@a.example'}\n", ":18:19: with.with.url", "write url: {env: NAME}"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "x.yaml")
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, _, err := New(Options{Settings: new(config.Settings)}).Validate(t.Context(), []string{file}, Given{})
			if err == nil || !strings.Contains(err.Error(), file+c.place) || !strings.Contains(err.Error(), c.hint) {
				t.Errorf("want %s and %q in\n%v", c.place, c.hint, err)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("it shows the secret:\n%v", err)
			}
		})
	}
}

func TestWhatIsNoSecretMayStandInPlainText(t *testing.T) {
	text := "version: 1\nname: x\nclaim: y\nblastRadius: {targets: 1}\nsteadyState:\n  - name: p\n    probe: http\n    with: {url: 'http://a.example/?key=basket', headers: {Idempotency-Key: a, X-Token: {env: T}}}\n" +
		"faults:\n  - name: f\n    injector: exec\n    for: 1s\n    with: {inject: [a], revert: [b], verify: [c], diesWith: boot, env: {DB_PASSWORD: {env: P}, MYSQL_ALLOW_EMPTY_PASSWORD: 'yes', PWD: /tmp, TOKEN_FILE: /run/t, DESIGN: x}}\n" +
		"safeguards:\n  - safeguard: calendar\n    with: {timezone: UTC, url: {env: CALENDAR}}\n"
	file := filepath.Join(t.TempDir(), "x.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, warnings, err := New(Options{Settings: new(config.Settings)}).Validate(t.Context(), []string{file}, Given{})
	if err != nil {
		t.Error(err)
	}
	if len(warnings) != 1 || !strings.Contains(warnings.Error(), "has the parameter key in plain text") || strings.Contains(warnings.Error(), "basket") {
		t.Errorf("it warns %v, want of the key", warnings)
	}
}
