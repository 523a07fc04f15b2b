package experiments_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mishap/experiments"
)

const withVars = `version: 1
name: %s
claim: "${who} can pay"
vars: {who: nobody, host: local}
steadyState:
  - {name: up, probe: http, with: {url: "http://${host}/"}}
faults:
  - {name: slow, injector: proxy-latency, targets: {proxy: payments}, with: {delay: 1ms}, for: 1s}
blastRadius: {targets: 1}
`

func TestAnEnvironmentGivesValuesToVars(t *testing.T) {
	dir := t.TempDir()
	put := func(path, content string) {
		t.Helper()
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("environments/prod.yaml", "who: Customers\nhost: shop.example\n")
	put("team/environments/prod.yaml", "who: The team\n")
	put("a.yaml", strings.Replace(withVars, "%s", "a", 1))
	put("team/deep/b.yaml", strings.Replace(withVars, "%s", "b", 1))
	o := options()
	o.Environment = "prod"
	list, err := experiments.Load(t.Context(), []string{dir}, o)
	if err != nil || len(list) != 2 {
		t.Fatalf("%d experiments, %v", len(list), err)
	}
	if list[0].Claim != "Customers can pay" || list[1].Claim != "The team can pay" {
		t.Errorf("claims: %q, %q", list[0].Claim, list[1].Claim)
	}
	if !strings.Contains(string(list[0].SteadyState[0].With), "shop.example") || !strings.Contains(string(list[1].SteadyState[0].With), "local") {
		t.Error("the nearest environment does not win, or hides what it does not say")
	}
	o.Vars = map[string]string{"who": "Ann"}
	if list, err = experiments.Load(t.Context(), []string{dir}, o); err != nil || list[0].Claim != "Ann can pay" {
		t.Errorf("a value given by name must win: %v", err)
	}
	o.Environment = "staging"
	if _, err := experiments.Load(t.Context(), []string{dir}, o); err == nil || !strings.Contains(err.Error(), "there is no environments/staging.yaml") {
		t.Errorf("a missing environment: %v", err)
	}
	put("environments/prod.yaml", "who: [Customers]\n")
	o.Environment = "prod"
	if _, err := experiments.Load(t.Context(), []string{dir}, o); err == nil || !strings.Contains(err.Error(), "prod.yaml:1:6: must be a text, not a list") {
		t.Errorf("a broken environment: %v", err)
	}
}

func TestACacheChangesNothingButTime(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.yaml", strings.Replace(withVars, "%s", "a", 1))
	path := write(t, dir, "b.yaml", strings.Replace(withVars, "%s", "b", 1))
	o := options()
	o.Cache = &experiments.Cache{}
	names := func() string {
		t.Helper()
		list, err := experiments.Load(t.Context(), []string{dir}, o)
		if err != nil {
			return err.Error()
		}
		var all []string
		for _, e := range list {
			all = append(all, e.Name+" "+e.Source.Digest)
		}
		return strings.Join(all, ",")
	}
	first := names()
	if again := names(); again != first {
		t.Errorf("read again it is %s, not %s", again, first)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(withVars, "%s", "a", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := names(); !strings.Contains(got, `two experiments named "a"`) || !strings.Contains(got, "b.yaml:2:7") {
		t.Errorf("a changed file is not seen: %s", got)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got := names(); strings.Contains(got, ",") || !strings.HasPrefix(first, got) {
		t.Errorf("a removed file is not gone: %s", got)
	}
}
