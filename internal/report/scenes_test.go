package report_test

import (
	"compress/gzip"
	"os"
	"path/filepath"
	"testing"

	"mishap"
	"mishap/internal/report"
)

// scene is the recorded journal of a run that was judged by proofs, as runs were before intervals. What is printed of it
// is what was printed then.
type scene string

// scenes are the runs with arms of the golden files.
func scenes() map[string]scene {
	all := map[string]scene{}
	for _, name := range []string{"cleared", "harmed", "few", "gone-silent"} {
		all[name] = scene(name)
	}
	return all
}

// journal is the story of a scene from plan to verdict.
func (s scene) journal(t *testing.T) *story {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "proofs", string(s)+".jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := report.ReadJournal(z)
	if err != nil {
		t.Fatal(err)
	}
	return &story{at: entries[len(entries)-1].At, entries: entries}
}

// plan is the plan of a scene.
func (s scene) plan(t *testing.T) mishap.Plan { return *s.journal(t).entries[0].Planned }
