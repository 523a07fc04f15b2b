package chaostoolkit_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"mishap/internal/chaostoolkit"
)

// TestNothingOfAnExperimentIsDropped imports one with controls everywhere, Python functions
// that nobody has, and every other key: each text of it stands in the file that is
// written, as what it became or as what it was.
func TestNothingOfAnExperimentIsDropped(t *testing.T) {
	data, err := os.ReadFile("testdata/nobody.json")
	if err != nil {
		t.Fatal(err)
	}
	made, err := chaostoolkit.Import("nobody.json", data)
	if err != nil {
		t.Fatal(err)
	}
	var all any
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	meant := []string{"probe", "action", "process", "http", "python"} // by what became of it
	for _, text := range leaves(all) {
		if !slices.Contains(meant, text) && !strings.Contains(string(made.File), text) {
			t.Errorf("%q is dropped", text)
		}
	}
	if n := strings.Count(string(made.File), "mishap has no controls"); n != 3 {
		t.Errorf("controls of the experiment, the steady state and a probe are named %d times", n)
	}
}

// leaves are the texts and numbers of a document.
func leaves(of any) (all []string) {
	switch of := of.(type) {
	case map[string]any:
		for _, one := range of {
			all = append(all, leaves(one)...)
		}
	case []any:
		for _, one := range of {
			all = append(all, leaves(one)...)
		}
	case string, float64:
		all = append(all, fmt.Sprint(of))
	}
	return all
}
