package experiments_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"mishap/experiments"
)

// mostMemory is what reading one file may take, all in all.
const mostMemory = 256 << 20

// FuzzLargeFiles repeats something until a file has 1 MiB: no such file takes
// more memory than its bound, and so no more time.
func FuzzLargeFiles(f *testing.F) {
	for _, unit := range []string{"[", "{", "[]", "]", "[a,\n", "- a\n", "a: b\n", "&a ", "#\n", "%a\n", "> \n", "a: |\n ", "a: [\n", "? ", "'' ", "a ", "a,", "\"\\x41", "---\n"} {
		f.Add("version: 1\nvars: ", unit)
		f.Add("- [\n", unit)
	}
	path := filepath.Join(f.TempDir(), "x.yaml")
	f.Fuzz(func(t *testing.T, before, unit string) {
		if unit == "" {
			return
		}
		text := before + strings.Repeat(unit, max(0, 1<<20-len(before))/len(unit))
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		var was, is runtime.MemStats
		runtime.ReadMemStats(&was)
		_, err := experiments.Load(context.Background(), []string{path}, options())
		runtime.ReadMemStats(&is)
		if took := is.TotalAlloc - was.TotalAlloc; took > mostMemory {
			t.Errorf("%q, repeated after %q, takes %d MiB: %v", unit, before, took>>20, err)
		}
	})
}
