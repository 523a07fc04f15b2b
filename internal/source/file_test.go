package source

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mishap/internal/config"
)

// bothKinds are a folder that is a checkout, and a repository that is mirrored, of the
// same upstream, with what reads the latter.
func bothKinds(t *testing.T, u *upstream) (state string, kinds map[string]config.Source, mirror *mirror) {
	t.Helper()
	state = t.TempDir()
	mirror, err := newMirror(Dir(state, "far"), repository{URL: "file://" + u.dir, Path: "experiments"})
	if err != nil {
		t.Fatal(err)
	}
	return state, map[string]config.Source{
		"folder":     {Name: "near", Folder: filepath.Join(u.dir, "experiments")},
		"repository": {Name: "far", Repository: "file://" + u.dir, Path: "experiments"},
	}, mirror
}

func TestAFileIsReadAsACommitHasItWhateverCameLater(t *testing.T) {
	u := newUpstream(t)
	state, kinds, m := bothKinds(t, u)
	first := latest(t, m).Commit
	u.put("experiments/a.yaml", "a: 2\n")
	second := u.commit("two")
	latest(t, m)
	u.put("experiments/a.yaml", "a: 3, which nobody committed\n")
	for kind, src := range kinds {
		for commit, want := range map[string]string{first: "a: 1\n", second: "a: 2\n"} {
			if text, err := FileAt(t.Context(), state, []config.Source{{Name: "none", Folder: t.TempDir()}, src}, commit, "experiments/a.yaml"); text != want || err != nil {
				t.Errorf("%s: %q, %v", kind, text, err)
			}
		}
		if text, err := FileAt(t.Context(), state, []config.Source{src}, first, "experiments/team/b.yml"); text != "b: 1\n" || err != nil {
			t.Errorf("%s: in a folder: %q, %v", kind, text, err)
		}
		for _, commit := range []string{strings.Repeat("0", 40), "HEAD", "--output=/tmp/x", "", first[:12], u.git("rev-parse", "HEAD^{tree}")} {
			if text, err := FileAt(t.Context(), state, []config.Source{src}, commit, "experiments/a.yaml"); !errors.Is(err, ErrNotKept) {
				t.Errorf("%s: of commit %q: %q, %v", kind, commit, text, err)
			}
		}
	}
}

func TestNoPathOfAJournalLeadsToAnythingButAnExperimentsFile(t *testing.T) {
	u := newUpstream(t)
	u.put("outside.yaml", "no: 1\n")
	u.put("experiments/.hidden/x.yaml", "no: 1\n")
	if err := os.Symlink("a.yaml", filepath.Join(u.dir, "experiments/inside.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../README.md", filepath.Join(u.dir, "experiments/out.yaml")); err != nil {
		t.Fatal(err)
	}
	u.put("experiments/large.yaml", strings.Repeat("x", 1<<20+1))
	commit := u.commit("more")
	state, kinds, m := bothKinds(t, u)
	if err := m.FetchOf(t.Context()); err != nil {
		t.Fatal(err)
	}
	for kind, src := range kinds {
		if text, err := FileAt(t.Context(), state, []config.Source{src}, commit, "experiments/inside.yaml"); text != "a: 1\n" || err != nil {
			t.Errorf("%s: a link inside: %q, %v", kind, text, err)
		}
		for _, name := range []string{
			"", ".", "README.md", "outside.yaml", "experiments", "experiments/mishap.yaml", "experiments/notes.txt", "experiments/.hidden/x.yaml", "experiments/../outside.yaml",
			"/etc/passwd", "../../etc/passwd", "experiments/out.yaml", "experiments/large.yaml", "experiments/nothing.yaml", "experiments//a.yaml", "-p", "experiments/a.yaml\x00", "experiments/a.yaml/b.yaml", `experiments\a.yaml`,
		} {
			if text, err := FileAt(t.Context(), state, []config.Source{src}, commit, name); err == nil || text != "" {
				t.Errorf("%s: %q is read: %q", kind, name, text)
			}
		}
	}
}
