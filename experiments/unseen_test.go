package experiments_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mishap/experiments"
)

func TestWhatNobodyCanSeeInALineIsNamed(t *testing.T) {
	for text, want := range map[string]string{
		"version: 1\nname: a\n\t\nclaim: x\n":       "nothing but tabs and spaces",
		"\t\nversion: 1\n":                          "nothing but tabs and spaces",
		"version: 1\nclaim:\u00a0\"it\"\nname: a\n": "no-break space",
	} {
		path := filepath.Join(t.TempDir(), "a.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := experiments.Load(t.Context(), []string{path}, experiments.Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want …%s…", text, err, want)
		}
	}
}
