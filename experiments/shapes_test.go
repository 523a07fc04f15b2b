package experiments_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mishap/experiments"
)

// shapesAt are the keys of an experiment, each with a line that a good file has it in.
func shapesAt() map[string]string {
	return map[string]string{
		"name": "name: good", "claim": "claim: It works.", "owner": "owner: me", "group": "group: g", "tags": "tags: {a: b}", "vars": "vars: {a: b}",
		"needs": "needs: {a: b}", "ready": "ready: {within: 1m}", "recovery": "recovery: {within: 1m}", "cost": "cost: {currency: EUR}",
		"safeguards": "safeguards: [{safeguard: window, with: {hours: '09:00-17:00', timezone: UTC}}]", "blastRadius": "blastRadius: {targets: 1}",
		"steadyState": "steadyState: [{name: n, probe: http, with: {url: 'http://localhost'}, expect: {status: 200}}]", "faults": "faults: [{name: f, injector: proxy-latency, targets: {proxy: payments}, with: {delay: 300ms}, for: 1s}]",
		"impacts": "impacts: [{what: it loses carts}]", "schedule": "schedule: {cron: '0 10 * * *', timezone: UTC}",
		"with": "  with: {url: 'http://localhost'}", "when": "  when: [before]", "expect": "  expect: {status: 200}",
	}
}

// TestEveryWrongShapeIsShownARightOne writes nodes of each other kind behind every key,
// and then what the message shows instead.
func TestEveryWrongShapeIsShownARightOne(t *testing.T) {
	misshapen := regexp.MustCompile(`must be (a mapping of keys to values|a list|a text),`)
	shown := regexp.MustCompile(`hint: such as (.*)`)
	wrong := func(key, value string) experiments.Problems {
		var file strings.Builder
		file.WriteString("version: 1\n")
		for other, line := range shapesAt() {
			nested := strings.HasPrefix(line, " ")
			if other != key && !nested {
				file.WriteString(line + "\n")
			} else if other == key && !nested {
				file.WriteString(key + ": " + value + "\n")
			}
		}
		text := file.String()
		if line := shapesAt()[key]; strings.HasPrefix(line, " ") { // of a probe
			text = strings.Replace(text, "expect: {status: 200}}]", "}]", 1)
			text = strings.Replace(text, "with: {url: 'http://localhost'}, }]", key+": "+value+"}]", 1)
		}
		path := filepath.Join(t.TempDir(), "one.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return anyProblems(t, path)
	}
	for key := range shapesAt() {
		for _, value := range []string{"[a, b]", "{a: b}", "just words", "[[a]]"} {
			said := wrong(key, value).Error()
			if !misshapen.MatchString(said) {
				continue // it fits, or something else is said of it
			}
			example := shown.FindStringSubmatch(said)
			if example == nil {
				t.Errorf("%s: %s is shown no example:\n%s", key, value, said)
				continue
			}
			at, right, _ := strings.Cut(example[1], ": ")
			if at != key { // of an item
				continue
			}
			if again := wrong(key, right).Error(); misshapen.MatchString(again) {
				t.Errorf("%s: the example %q is wrong too:\n%s", key, example[1], again)
			}
		}
	}
}

// anyProblems are what is wrong with a file, if anything.
func anyProblems(t *testing.T, path string) experiments.Problems {
	t.Helper()
	_, err := experiments.Load(t.Context(), []string{path}, options())
	found, _ := err.(experiments.Problems)
	return found
}
