package report_test

import (
	"bytes"
	"testing"

	"mishap/internal/report"
)

// page is the report of a story as HTML.
func page(t *testing.T, s *story) string {
	t.Helper()
	var out bytes.Buffer
	if err := report.HTML(&out, s.entries, "v1.2.3"); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
