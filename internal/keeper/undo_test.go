package keeper_test

import (
	"os"
	"path/filepath"
	"testing"

	"mishap/internal/keeper"
)

// FuzzReadUndo wants that a file never hides another, and that what is not whole
// says so or holds something.
func FuzzReadUndo(f *testing.F) {
	const hold = `{"at":"2026-01-02T03:04:05Z","hold":{"id":"r.1","run":"r","injector":"files","target":{"id":"x"}}}` + "\n"
	for _, text := range []string{"", hold, hold[:40], hold + `{"id":"r.1","to":"injecting"}` + "\n", "{}\n" + hold, `{"version":9}`, "\x00\x00", hold + "\x00\xff\n" + hold, "null\n[]\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := t.TempDir()
		must(t, os.Mkdir(filepath.Join(dir, "undo"), 0o700))
		must(t, os.WriteFile(filepath.Join(dir, "undo", "a.jsonl"), text, 0o600))
		must(t, os.WriteFile(filepath.Join(dir, "undo", "b.jsonl"), []byte(hold+`{"id":"r.1","to":"injected"}`+"\n"), 0o600))
		all, err := keeper.ReadUndo(dir)
		must(t, err)
		if len(all) != 2 || len(all[1].Outstanding()) != 1 || all[1].Damage != nil {
			t.Fatalf("the other file: %+v", all)
		}
		if all[0].Damage == nil && len(all[0].Held) == 0 {
			t.Error("it holds nothing, and is taken for whole")
		}
	})
}
