package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func loadText(t *testing.T, text string) (Settings, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mishap.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(Options{File: path, LookupEnv: func(string) (string, bool) { return "", false }})
}

func TestSettingsSayWhatYAMLSays(t *testing.T) {
	s, err := loadText(t, "labels: {zone: a\tb, other: \"c\td\"}\r\nhosts: [\"x\"]\r\n")
	if err != nil || s.Live().Labels["zone"] != "a\tb" || s.Live().Labels["other"] != "c\td" || len(s.Live().Hosts) != 1 {
		t.Errorf("%v: labels are %q, hosts %q", err, s.Live().Labels, s.Live().Hosts)
	}
	for text, want := range map[string]string{
		"accounts: [012345670123]\n":  ":1:12: 012345670123 is read differently",
		"labels: {zone: 0x10}\n":      ":1:16: 0x10 is read differently",
		"labels: {zone: \"a\u2028\"}": ":1:18: the file holds the control character U+2028",
	} {
		if _, err := loadText(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// There is one control socket for all proxies, wherever it is named.
func TestControlOfOneProxyIsThatOfAll(t *testing.T) {
	const head = "state: /s\nproxies:\n"
	named := "  - {name: a, listen: '127.0.0.1:1', upstream: '127.0.0.1:2', control: ./c.sock}\n"
	secured := "  - {name: a, listen: '127.0.0.1:1', upstream: '127.0.0.1:2', control: 'tcp://10.0.0.1:9', controlTLS: {cert: /c, key: /k, ca: /a}}\n"
	other := "  - {name: b, listen: '127.0.0.1:3', upstream: '127.0.0.1:4'}\n"
	for name, c := range map[string]struct{ text, base string }{
		"first":    {head + named + other, "c.sock"},
		"last":     {head + other + named, "c.sock"},
		"none":     {head + other, "proxy.sock"},
		"with TLS": {head + other + secured, "10.0.0.1:9"},
	} {
		s, err := loadText(t, c.text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, p := range s.Proxies {
			if p.Control != s.Proxies[0].Control || filepath.Base(p.Control) != c.base || p.ControlTLS != s.Proxies[0].ControlTLS || (name == "with TLS") != (p.ControlTLS.Cert == "/c") {
				t.Errorf("%s: proxy %s has control %q, %+v", name, p.Name, p.Control, p.ControlTLS)
			}
		}
		if strings.HasSuffix(c.base, "c.sock") && filepath.Dir(s.Proxies[1].Control) != filepath.Dir(s.File) {
			t.Errorf("%s: the control socket %s is not beside the settings", name, s.Proxies[1].Control)
		}
	}
}
