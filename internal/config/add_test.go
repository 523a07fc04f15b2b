package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mishap"
	"mishap/internal/config"
)

func adds(t *testing.T, text string, add ...config.Proxy) (path, after string, err error) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "mishap.yaml")
	if text != "" {
		if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	err = config.AddProxies(path, add)
	written, _ := os.ReadFile(path)
	return path, string(written), err
}

var (
	redis    = config.Proxy{Name: "redis", Listen: "127.0.0.1:18080", Upstream: "cache:6379"}
	postgres = config.Proxy{Name: "postgres", Listen: "127.0.0.1:18081", Upstream: "db:5432"}
)

func TestProxiesAreAddedAndEveryOtherLineStays(t *testing.T) {
	for name, text := range map[string]string{
		"no file":             "",
		"no proxies":          "# mine\nstate: ./s # here\n",
		"nothing but a word":  "# mine\n",
		"a list":              "# mine\nproxies: # of payments\n  - name: a\n    listen: 127.0.0.1:1\n    upstream: b:2\n    # the last of it\n\n# next\nstate: ./s\n",
		"a list on the left":  "proxies:\n- name: a\n  listen: 127.0.0.1:1\n  upstream: b:2\n\nstate: ./s\n",
		"a list with flow":    "state: ./s\nproxies:\n    - {name: a, listen: 127.0.0.1:1, upstream: \"b:2\"}\n",
		"without a last line": "proxies:\n  - {name: a, listen: 127.0.0.1:1, upstream: \"b:2\"}",
		"with lists inside":   "proxies:\n  - name: a\n    listen: 127.0.0.1:1\n    upstream: b:2\n    protocol: tcp\n    sni:\n      a.example: c:3\nstate: ./s\n",
	} {
		t.Run(name, func(t *testing.T) {
			path, after, err := adds(t, text, redis, postgres)
			if err != nil {
				t.Fatal(err)
			}
			settings, err := config.Load(config.Options{File: path})
			if err != nil {
				t.Fatalf("%v\n%s", err, after)
			}
			var names []string
			for _, p := range settings.Proxies {
				names = append(names, p.Name)
			}
			if got := strings.TrimPrefix(strings.Join(names, " "), "a "); got != "redis postgres" {
				t.Errorf("proxies %s in\n%s", got, after)
			}
			rest := after
			for line := range strings.Lines(text) {
				before, behind, found := strings.Cut(rest, strings.TrimRight(line, "\n"))
				if !found {
					t.Errorf("the line %q is lost, or not in its place:\n%s", line, after)
				}
				rest = before[len(before):] + behind
			}
			if info, err := os.Stat(path); err != nil || text != "" && info.Mode().Perm() != 0o640 {
				t.Errorf("the file is not as it was: %v, %v", info.Mode(), err)
			}
			if err := config.AddProxies(path, []config.Proxy{{Name: "more", Listen: "127.0.0.1:18082", Upstream: "c:1"}}); err != nil {
				t.Errorf("once more: %v", err)
			}
		})
	}
}

func TestSettingsThatCannotBeAddedToStayAsTheyAre(t *testing.T) {
	for name, tt := range map[string]struct{ text, why string }{
		"flow":            {"proxies: [{name: a, listen: 127.0.0.1:1, upstream: \"b:2\"}]\n", "by hand"},
		"an invalid file": {"proxeis: []\n", "unknown key"},
		"an empty list":   {"proxies: []\n", ""},
		"two documents":   {"state: ./s\n---\nstate: ./t\n", ""},
		"a name twice":    {"proxies:\n  - {name: redis, listen: 127.0.0.1:1, upstream: \"b:2\"}\n", "redis"},
		"not a mapping":   {"- a\n", "mapping"},
	} {
		t.Run(name, func(t *testing.T) {
			path, after, err := adds(t, tt.text, redis)
			if err == nil || !strings.Contains(err.Error()+hint(err), tt.why) || after != tt.text {
				t.Errorf("%v; the file is\n%s", err, after)
			}
			if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".mishap-*")); left != nil {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestALinkToSettingsStaysALink(t *testing.T) {
	folder := t.TempDir()
	file, link := filepath.Join(folder, "real.yaml"), filepath.Join(folder, "mishap.yaml")
	if err := os.WriteFile(file, []byte("state: ./s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	if err := config.AddProxies(link, []config.Proxy{redis}); err != nil {
		t.Fatal(err)
	}
	if to, err := os.Readlink(link); err != nil || to != file {
		t.Errorf("the link leads to %q: %v", to, err)
	}
}

func hint(err error) string { return " " + mishap.HintOf(err) }
