package catalog

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mishap/internal/config"
)

// TestMaxActiveBesideAComparisonIsWarnedOf: whom it hits is not known then, and the file says where that is written.
func TestMaxActiveBesideAComparisonIsWarnedOf(t *testing.T) {
	const file = `version: 1
name: x
claim: y
steadyState:
  - {name: p, probe: http, with: {url: "http://a.example/"}}
compare:
  arms: {from: requests, proxy: edge, key: request, share: 5%}
  atLeast: 1m
  baseline: auto
  metrics:
    - {metric: success-rate, margin: 0.5pp}
faults:
  - name: f
    injector: proxy-http-error
    targets: {proxy: pays}
    with: {status: 503, maxActive: 3}
    for: 5m
blastRadius: {targets: 1, share: 5%}
`
	for name, text := range map[string]string{
		"":             strings.ReplaceAll(file, ", maxActive: 3", ""),
		":16:36: ":     file,
		":16:36:  two": strings.ReplaceAll(file, "    for: 5m", "    for: 5m\n  - {name: g, injector: proxy-http-error, targets: {proxy: pays}, with: {status: 503}, for: 5m}"),
	} {
		path := filepath.Join(t.TempDir(), "x.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, warnings, err := New(Options{Settings: new(config.Settings)}).Validate(t.Context(), []string{path}, Given{})
		if err != nil {
			t.Fatal(err)
		}
		place, _, _ := strings.Cut(name, " ")
		if name == "" && len(warnings) != 0 || name != "" && (len(warnings) != 1 || !strings.Contains(warnings[0].String(), path+place) || !strings.Contains(warnings[0].Hint, "share")) {
			t.Errorf("%q: warned %v", name, warnings)
		}
	}
}
