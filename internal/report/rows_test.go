package report_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mishap"
	"mishap/internal/report"
	"mishap/internal/report/html"
	"mishap/internal/report/reporttest"
)

func TestTextSaysTheIntervalThatDecides(t *testing.T) {
	for name, j := range reporttest.JudgedRuns() {
		run := j.Journal(t).Run(t)
		out := reporttest.Text(t, run)
		reporttest.Golden(t, "rows-"+name+".txt", out)
		for line := range strings.Lines(out) {
			reporttest.CheckLine(t, name, strings.TrimSuffix(line, "\n"))
		}
		if strings.Contains(out, "proof") {
			t.Errorf("%s: a run that is judged by intervals speaks of proof", name)
		}
		var page, junit bytes.Buffer
		if err := html.Run(&page, j.Journal(t).Entries, "v1"); err != nil {
			t.Fatal(err)
		}
		if err := report.JUnit(&junit, []*mishap.Run{run}); err != nil {
			t.Fatal(err)
		}
		for what, text := range map[string]string{"page": page.String(), "junit": junit.String()} {
			if low := strings.ToLower(text); strings.Contains(low, "proof of") || strings.Contains(low, "is proven") || strings.Contains(low, "proofof") {
				t.Errorf("%s of %s speaks of proof", what, name)
			}
		}
		if !strings.Contains(page.String(), `class="plot forest"`) {
			t.Errorf("%s: the page shows no interval against its margin", name)
		}
		s := report.Summarize(run).Comparison
		if s.Method != "intervals" || s.What == nil || s.Harm != nil || len(s.What.Rows) != 2 {
			t.Errorf("%s: machines get %+v", name, s)
		}
	}
}

// What kept a run from being held is among the few rows that there is room for.
func TestWhatWasOpenOfAllRequestsComesBeforeWhatWasWithin(t *testing.T) {
	met := mishap.Row{What: "failed", State: mishap.Within}
	all := mishap.Row{What: "failed", Of: "all requests", State: mishap.Open}
	beyond := mishap.Row{What: "slower, p99", State: mishap.Beyond}
	for name, c := range map[string]struct {
		of   mishap.Intervals
		want []report.Row
	}{
		"open":   {mishap.Intervals{Rows: []mishap.Row{met}, Beside: []mishap.Row{met, all}}, []report.Row{{Row: all}, {Row: met}}},
		"within": {mishap.Intervals{Rows: []mishap.Row{met}, Beside: []mishap.Row{met}}, []report.Row{{Row: met}}},
		"beyond": {mishap.Intervals{Rows: []mishap.Row{met, beyond}, Beside: []mishap.Row{all}}, []report.Row{{Row: met}, {Row: beyond}}},
	} {
		if diff := cmp.Diff(c.want, report.ToldRows(&c.of)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
