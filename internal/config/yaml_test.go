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
	if err != nil || s.Labels["zone"] != "a\tb" || s.Labels["other"] != "c\td" || len(s.Hosts) != 1 {
		t.Errorf("%v: labels are %q, hosts %q", err, s.Labels, s.Hosts)
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
