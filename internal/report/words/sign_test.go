package words_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mishap"
	"mishap/internal/report/words"
)

func TestOutcomesAreToldApartWithoutColours(t *testing.T) {
	seen := map[string]string{}
	for _, word := range []string{string(mishap.Held), string(mishap.Deviated), string(mishap.Inconclusive), string(mishap.Refused), string(mishap.Stranded), string(mishap.Holding), "due"} {
		s := words.SignOf(word)
		for _, sign := range []string{s.Class, s.Sign, s.Emoji} {
			if other := seen[sign]; other != "" || sign == "" {
				t.Errorf("%q is the sign of %s and %s", sign, other, word)
			}
			seen[sign] = word
		}
	}
	if words.SignOf(words.Standing(mishap.NoVerdict, mishap.Refused, mishap.CauseBusy)) != words.SignOf("refused") || words.Standing(mishap.Held, mishap.Completed, mishap.CauseMissed) != "held" ||
		words.Standing(mishap.NoVerdict, mishap.Refused, mishap.CauseMissed) != "missed" {
		t.Error("a run without a verdict does not stand where its state is")
	}
}

// Whoever shows an outcome takes its sign from the table, or two places differ one day.
func TestSignsOfOutcomesStandInOnePlace(t *testing.T) {
	root, found := filepath.Join("..", "..", ".."), 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "testdata"):
			return filepath.SkipDir
		case strings.HasSuffix(name, "_test.go") || filepath.Ext(name) != ".go" && filepath.Ext(name) != ".html" && filepath.Ext(name) != ".js":
			return nil
		}
		text, err := os.ReadFile(path)
		if err == nil && strings.ContainsAny(string(text), "✓✗✅❌❔➖⚪⏳") {
			if found++; filepath.Base(path) != "sign.go" {
				t.Errorf("%s has a sign of its own", path)
			}
		}
		return err
	})
	if err != nil || found == 0 {
		t.Errorf("%d files have signs: %v", found, err)
	}
}
