package formattest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"mishap"
)

// Record is what an injector recorded of a fault, and what it did with that.
type Record struct {
	Fault     mishap.Fault     `json:"fault"`
	Injection mishap.Injection `json:"injection"`       // with its undo
	Asked     any              `json:"asked,omitempty"` // of what the fault is in, when it was injected
}

// Undo compares what today's injector records with what one of before did, and
// returns that, so that the test reverts it. Shape lets values differ that are
// another each time. A new injector has its fixture from the failure of this.
func Undo(t testing.TB, today Record, shape bool) mishap.Injection {
	t.Helper()
	text, err := json.MarshalIndent(today, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join("undo", today.Injection.Injector+".json")
	if _, err := os.Stat(filepath.Join(folder(t), name)); err != nil {
		t.Fatalf("there is no fixture of what the injector records; once it is right, write this to internal/formattest/testdata/%s:\n%s", name, text)
	}
	kept(t, name, text, rules{prose: true, shape: shape})
	var before Record
	Into(t, &before, name)
	return before.Injection
}
