package reporttest

import (
	"compress/gzip"
	"embed"
	"testing"

	"mishap"
	"mishap/internal/report"
)

//go:embed testdata/proofs
var proofs embed.FS

// Scene is the recorded journal of a run that was judged by proofs, as runs were before intervals. What is printed of it
// is what was printed then.
type Scene string

// Scenes are the runs with arms of the golden files.
func Scenes() map[string]Scene {
	all := map[string]Scene{}
	for _, name := range []string{"cleared", "harmed", "few", "gone-silent"} {
		all[name] = Scene(name)
	}
	return all
}

// Journal is the story of a scene from plan to verdict.
func (s Scene) Journal(t *testing.T) *Story {
	t.Helper()
	f, err := proofs.Open("testdata/proofs/" + string(s) + ".jsonl.gz")
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
	return &Story{At: entries[len(entries)-1].At, Entries: entries}
}

// Plan is the plan of a scene.
func (s Scene) Plan(t *testing.T) mishap.Plan { return *s.Journal(t).Entries[0].Planned }
