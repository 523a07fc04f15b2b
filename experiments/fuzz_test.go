package experiments_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mishap"
	"mishap/experiments"
)

// FuzzLoad holds that no file brings the reader down, that every problem has a
// message, and that what is loaded survives being written and read as JSON.
func FuzzLoad(f *testing.F) {
	seeds, err := filepath.Glob("testdata/invalid/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range append(seeds, "testdata/valid.yaml", "testdata/full.yaml", "testdata/compare.yaml") {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	folder := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(folder, "x.yaml")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		all, err := experiments.Load(context.Background(), []string{path}, options())
		if err != nil {
			for _, p := range err.(experiments.Problems) {
				if p.Msg == "" || p.Line < 0 || p.Column < 0 {
					t.Errorf("problem without message or place: %+v", p)
				}
			}
			return
		}
		written, err := json.Marshal(all[0])
		if err != nil {
			t.Fatal(err)
		}
		var read mishap.Experiment
		if err := json.Unmarshal(written, &read); err != nil {
			t.Fatalf("read %s: %v", written, err)
		}
		again, err := json.Marshal(read)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(written), string(again)); diff != "" {
			t.Errorf("experiment does not survive JSON (-want +got):\n%s", diff)
		}
	})
}
