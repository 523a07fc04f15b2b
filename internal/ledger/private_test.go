package ledger_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mishap/internal/ledger"
)

func TestAStateDirectoryIsForItsUserAlone(t *testing.T) {
	perm := func(path string, want os.FileMode) {
		t.Helper()
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want %s", path, info.Mode(), err, want)
		}
	}
	open := func(dir string) {
		t.Helper()
		l, err := ledger.Open(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		must(t, l.Close())
	}
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o777))
	if said := ledger.Exposed(dir); !strings.Contains(said, "others may write") {
		t.Errorf("of an open directory it says %q", said)
	}
	open(dir)
	perm(dir, 0o700)
	if said := ledger.Exposed(dir); said != "" {
		t.Errorf("of a private one it says %q", said)
	}
	must(t, os.Mkdir(filepath.Join(dir, "undo"), 0o755))
	must(t, os.Chmod(filepath.Join(dir, "undo"), 0o777))
	must(t, os.Chmod(filepath.Join(dir, "ledger.db"), 0o666))
	open(dir)
	perm(filepath.Join(dir, "undo"), 0o700)
	perm(filepath.Join(dir, "ledger.db"), 0o600)

	// A directory that others use as well is named, and not taken from them.
	shared := t.TempDir()
	must(t, os.WriteFile(filepath.Join(shared, "theirs"), nil, 0o644))
	must(t, os.Chmod(shared, 0o777))
	open(shared)
	perm(shared, 0o777)
	perm(filepath.Join(shared, "ledger.db"), 0o600)
}
