package report_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"mishap"
	"mishap/internal/report"
	"mishap/internal/report/reporttest"
)

// nowhere are the pages of who has none.
func nowhere(string) string { return "" }

func console(run string) string { return "https://mishap.example/runs/" + run }

// The first table of status has every experiment, or is not there.
func TestStatusListsAllExperimentsOrNone(t *testing.T) {
	began := reporttest.Began()
	run := reporttest.Stories()["held"].Run(t)
	shown := []*mishap.Run{run}
	latest := report.ExperimentStanding{Name: "shown", Run: run.ID, Verdict: mishap.Held, Began: began}
	for name, c := range map[string]struct {
		all  []report.ExperimentStanding
		want []string // nothing: no table
	}{
		"all are below":            {[]report.ExperimentStanding{latest}, nil},
		"one is due":               {[]report.ExperimentStanding{latest, {Name: "due", Next: began.Add(time.Hour)}}, []string{"due", "shown"}},
		"one ran long before that": {[]report.ExperimentStanding{latest, {Name: "old", Run: "before", Began: began}}, []string{"old", "shown"}},
	} {
		var out bytes.Buffer
		if err := (report.Standing{Experiments: c.all}).Write(&out, shown, console, began); err != nil {
			t.Fatal(err)
		}
		for _, want := range c.want {
			if !strings.Contains(out.String(), "\n"+want+" ") {
				t.Errorf("%s: %s is missing:\n%s", name, want, out.String())
			}
		}
		if c.want == nil && out.Len() > 0 {
			t.Errorf("%s: it says twice what is below:\n%s", name, out.String())
		}
		if has := strings.Contains(out.String(), console("before")); has != (name == "one ran long before that") || strings.Contains(out.String(), console(run.ID)) {
			t.Errorf("%s: links are not those of runs that are not below:\n%s", name, out.String())
		}
	}
}

// A list stays one, however long reasons are.
func TestStatusShortensReasonsAndLinksRuns(t *testing.T) {
	long := strings.Repeat("the reason is very long ", 210) + "and ends"
	run := reporttest.Stories()["held"].Run(t)
	run.State, run.Reason = mishap.Refused, long
	at := reporttest.Began()
	standing := report.Standing{Halted: long, Locks: []mishap.Lock{{Experiment: "e", Run: "r", Reason: long}}, Waiting: []mishap.Waiting{{Experiment: "e", Since: at, Why: long}},
		Sources: []report.SourceStanding{{Name: "s", Problem: long, Holds: long}}}
	for name, write := range map[string]func(*bytes.Buffer) error{
		"runs":   func(out *bytes.Buffer) error { return report.Status(out, []*mishap.Run{run}, console, at) },
		"beside": func(out *bytes.Buffer) error { return standing.Write(out, nil, console, at) },
		"list": func(out *bytes.Buffer) error {
			return report.List(out, []mishap.Experiment{run.Plan.Experiment}, func(mishap.Experiment) []string { return []string{long} })
		},
	} {
		var out bytes.Buffer
		if err := write(&out); err != nil {
			t.Fatal(err)
		}
		if said := out.String(); out.Len() > 2500 || !strings.Contains(said, "…") || strings.Contains(said, "and ends") {
			t.Errorf("%s has %d bytes:\n%s", name, out.Len(), said)
		}
		if name == "runs" && !strings.Contains(out.String(), "\n  "+console(run.ID)+"\n") {
			t.Errorf("no link:\n%s", out.String())
		}
	}
}
