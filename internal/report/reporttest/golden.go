package reporttest

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"mishap"
	"mishap/internal/report"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Golden compares with a file under testdata.
func Golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// Text is the report of a run.
func Text(t *testing.T, r *mishap.Run) string {
	t.Helper()
	var out bytes.Buffer
	if err := report.Text(&out, r); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// CheckLine fails if a line is too wide, or could draw on a terminal.
func CheckLine(t *testing.T, what, line string) {
	t.Helper()
	columns := 0
	for _, r := range line {
		columns++
		if unicode.Is(unicode.Han, r) {
			columns++
		}
		if unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control) {
			t.Errorf("%s: %U in line %q", what, r, line)
		}
	}
	if columns > 80 {
		t.Errorf("%s: %d columns in line %q", what, columns, line)
	}
	if strings.TrimRight(line, " ") != line {
		t.Errorf("%s: spaces at the end of line %q", what, line)
	}
}
