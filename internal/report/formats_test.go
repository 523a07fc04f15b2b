package report_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mishap"
	"mishap/internal/formattest"
	"mishap/internal/report"
)

// TestAJournalOfBeforeIsReadWrittenAndJudgedAlike: a journal is read years
// later, and must say the same.
func TestAJournalOfBeforeIsReadWrittenAndJudgedAlike(t *testing.T) {
	for _, file := range formattest.Names(t, "journal") {
		t.Run(file, func(t *testing.T) {
			text := formattest.Read(t, "journal", file)
			entries, err := report.ReadJournal(bytes.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			var again, out bytes.Buffer
			if err := report.WriteJournal(&again, entries); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Split(string(text), "\n"), strings.Split(again.String(), "\n")); diff != "" {
				t.Errorf("written again, it is another journal: %s", diff)
			}
			run, err := mishap.Replay(entries)
			if err != nil {
				t.Fatal(err)
			}
			if err := report.JSON(&out, run); err != nil {
				t.Fatal(err)
			}
			formattest.Kept(t, "report/"+strings.TrimSuffix(file, "l"), out.Bytes())
		})
	}
}
