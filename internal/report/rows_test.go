package report_test

import (
	"bytes"
	"strings"
	"testing"

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
