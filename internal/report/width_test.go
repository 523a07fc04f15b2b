package report_test

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"mishap"
	"mishap/internal/report"
	"mishap/internal/report/reporttest"
	"mishap/internal/report/words"
)

// wide is a reader who has so many columns.
type wide struct {
	bytes.Buffer
	columns int
}

func (w *wide) Columns() int { return w.columns }

// forPeople is everything that is written about a run for a person.
func forPeople(r *mishap.Run) map[string]func(io.Writer) error {
	later := reporttest.Began().Add(26 * time.Hour)
	standing := report.Standing{
		Halted: "by alice: incident 4711", Servers: []string{"pid 4711 of alice serves this ledger"}, Left: []string{r.Plan.Experiment.Claim},
		Sources:     []report.SourceStanding{{Name: "git", Commit: "0123456789abcdef", Revision: 3, Since: later, Problem: r.Plan.Experiment.Claim, Holds: "its policy"}},
		Locks:       []mishap.Lock{{Experiment: r.Plan.Experiment.Name, Run: r.ID, Reason: r.Plan.Experiment.Claim}},
		Waiting:     []mishap.Waiting{{Experiment: r.Plan.Experiment.Name, Since: later, Why: r.Plan.Experiment.Claim}},
		Experiments: []report.ExperimentStanding{{Name: r.Plan.Experiment.Name, Run: "other", State: mishap.Completed, Verdict: mishap.Inconclusive, Began: reporttest.Began(), Next: later}},
	}
	return map[string]func(io.Writer) error{
		"text":     func(w io.Writer) error { return report.Text(w, r) },
		"brief":    func(w io.Writer) error { return report.Brief(w, r, "") },
		"gist":     func(w io.Writer) error { return report.Gist(w, r) },
		"status":   func(w io.Writer) error { return report.Status(w, []*mishap.Run{r}, nowhere, later) },
		"standing": func(w io.Writer) error { return standing.Write(w, nil, nowhere, later) },
		"list": func(w io.Writer) error {
			return report.List(w, []mishap.Experiment{r.Plan.Experiment}, func(mishap.Experiment) []string { return []string{r.Plan.Experiment.Claim} })
		},
		"plan": func(w io.Writer) error {
			return report.PlanSheet(r.Plan, kinds(), []mishap.Check{{Safeguard: "window", Answer: mishap.No, Reason: r.Plan.Experiment.Claim}}, []string{r.Plan.Experiment.Claim}).Text(w)
		},
		"beside":  func(w io.Writer) error { return report.Compare(r, r).Text(w) },
		"trend":   func(w io.Writer) error { return report.TrendOf(r.Plan.Experiment.Name, []*mishap.Run{r, r}).Text(w) },
		"observe": func(w io.Writer) error { return report.ObserveSheet(observed()).Text(w) },
		"due": func(w io.Writer) error {
			return report.Due(w, later, mishap.Schedule{Timezone: "Europe/London"}, r.Plan.Experiment.Claim)
		},
	}
}

func TestNoLineIsLongerThanItsReaderHasRoomFor(t *testing.T) {
	for name, s := range told(t) {
		for what, write := range forPeople(s.Run(t)) {
			used := map[int]int{} // the longest line, by the room there is
			for _, columns := range []int{60, 80, 140} {
				out := &wide{columns: columns}
				if err := write(out); err != nil {
					t.Fatal(err)
				}
				for line := range strings.Lines(out.String()) {
					n := words.Cells(strings.TrimSuffix(line, "\n"))
					if used[columns] = max(used[columns], n); n > columns {
						t.Errorf("%s of %s: %d of %d columns: %s", what, name, n, columns, line)
					}
				}
				if lines := strings.Count(out.String(), "\n"); what == "brief" && lines > 25 || what == "gist" && lines > 9 {
					t.Errorf("%s of %s: %d lines at %d columns:\n%s", what, name, lines, columns, out)
				}
			}
			if slices.Contains([]string{"text", "plan"}, what) && used[140] <= 80 {
				t.Errorf("%s of %s: the longest line has %d columns where there are 140", what, name, used[140])
			}
		}
	}
}

func TestATableOfALittleRoomNamesOneExperimentALine(t *testing.T) {
	out := &wide{columns: 60}
	run := told(t)["held"].Run(t)
	for _, what := range []string{"status", "standing", "trend"} {
		fmt.Fprintf(out, "== %s\n", what)
		if err := forPeople(run)[what](out); err != nil {
			t.Fatal(err)
		}
	}
	reporttest.Golden(t, "narrow.txt", out.String())
}
