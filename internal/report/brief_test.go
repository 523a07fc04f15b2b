package report_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"mishap"
	"mishap/internal/report"
	"mishap/internal/report/reporttest"
)

// brief is the brief report of a run that has no page.
func brief(t *testing.T, r *mishap.Run) string { return briefWith(t, r, "") }

func briefWith(t *testing.T, r *mishap.Run, page string) string {
	t.Helper()
	var out bytes.Buffer
	if err := report.Brief(&out, r, page); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// told are all runs of the golden files, and one whose texts are hostile.
func told(t *testing.T) map[string]*reporttest.Story {
	all := reporttest.Stories()
	all["attacked"] = reporttest.Attacked(t)
	for name, s := range reporttest.Scenes() {
		all["arms-"+name] = s.Journal(t)
	}
	for name, j := range reporttest.JudgedRuns() {
		all["rows-"+name] = j.Journal(t)
	}
	return all
}

func TestTheBriefReportSaysWhatDecided(t *testing.T) {
	var out strings.Builder
	for _, name := range []string{"held", "deviated", "stranded", "refused", "crash-resumed", "holding", "rows-held", "rows-deviated", "rows-inconclusive", "arms-harmed"} {
		fmt.Fprintf(&out, "== %s\n%s\n", name, brief(t, told(t)[name].Run(t)))
	}
	reporttest.Golden(t, "brief.txt", out.String())
}

func TestTheBriefReportFitsWhateverWasRecorded(t *testing.T) {
	for name, s := range told(t) {
		run := &mishap.Run{}
		for i, e := range s.Entries {
			if err := run.Apply(e); err != nil {
				t.Fatal(err)
			}
			if e.State != nil || e.Injection != nil || i == len(s.Entries)-1 {
				fits(t, fmt.Sprintf("%s, entry %d", name, i+1), brief(t, run))
			}
		}
	}
	for name, s := range told(t) {
		var out bytes.Buffer
		if err := report.Gist(&out, s.Run(t)); err != nil {
			t.Fatal(err)
		}
		fitsIn(t, 9, "gist of "+name, out.String())
	}
	crowd := told(t)["stranded"].Run(t)
	for i := range 20 {
		one := *crowd.Injections[0]
		one.ID, one.Fault, one.Detail = fmt.Sprint(i), fmt.Sprintf("fault %d", i), strings.Repeat("a long story, ", 40)
		crowd.Injections = append(crowd.Injections, &one)
	}
	for range 20 {
		crowd.Watches = append(crowd.Watches, crowd.Watches[0])
	}
	crowd.Trigger.Override = &mishap.Override{By: "alice", Reason: strings.Repeat("It has to be. ", 40)}
	crowd.Plan.Experiment.Claim = strings.Repeat("Everything works. ", 40)
	fits(t, "a crowd that is stranded", brief(t, crowd))
	fits(t, "a crowd that is stranded, and has a page", briefWith(t, crowd, "https://chaos.example/a/rather/long/path/to/the/console/runs/7f3a91c2"))
	if text := brief(t, crowd); !strings.Contains(text, "mishap revert "+crowd.ID) || !strings.Contains(text, "19 more") {
		t.Errorf("a crowd that is stranded does not say how to end it, and how many there are:\n%s", text)
	}
	crowd.State = mishap.Completed
	for _, in := range crowd.Injections {
		in.State = mishap.InjectionReverted
	}
	fits(t, "a crowd that is reverted", brief(t, crowd))
}

// fits fails if a text has more than 25 lines, or one that is too wide.
func fits(t *testing.T, what, text string) {
	t.Helper()
	fitsIn(t, 25, what, text)
}

// fitsIn fails if a text has more lines than that, or one that is too wide.
func fitsIn(t *testing.T, lines int, what, text string) {
	t.Helper()
	if n := strings.Count(text, "\n"); n > lines {
		t.Errorf("%s: %d lines:\n%s", what, n, text)
	}
	for line := range strings.Lines(text) {
		reporttest.CheckLine(t, what, strings.TrimSuffix(line, "\n"))
	}
}

// roomy is a reader that has more room.
type roomy struct{ bytes.Buffer }

func (*roomy) Columns() int { return 120 }

func TestAWideTerminalIsUsed(t *testing.T) {
	run := told(t)["rows-held"].Run(t)
	var wide roomy
	if err := report.Text(&wide, run); err != nil {
		t.Fatal(err)
	}
	longest := 0
	for line := range strings.Lines(wide.String()) {
		longest = max(longest, len([]rune(strings.TrimSpace(line))))
	}
	if longest <= 80 || longest > 120 || strings.Count(wide.String(), "\n") >= strings.Count(reporttest.Text(t, run), "\n") {
		t.Errorf("with 120 columns, the longest line has %d:\n%s", longest, wide.String())
	}
}

func TestMarkdownSaysWhatDecidedAndNoTextActsInIt(t *testing.T) {
	var out strings.Builder
	for _, name := range []string{"rows-deviated", "stranded", "refused", "holding"} {
		if err := report.Markdown(&out, told(t)[name].Run(t), ""); err != nil {
			t.Fatal(err)
		}
	}
	reporttest.Golden(t, "run.md", out.String())
	hostile := told(t)["rows-held"].Run(t)
	hostile.Plan.Experiment.Name, hostile.Plan.Experiment.Claim = "x | y <script> @everybody", "a\n\n# mine ![i](http://x) `c`"
	var text strings.Builder
	if err := report.Markdown(&text, hostile, "https://x.example/runs/a) [b](http://y) <c>"); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"\n# mine", " <script>", "@everybody", "![i]", " | y", " `c`", "](http://y)", "<c>"} {
		if strings.Contains(text.String(), bad) {
			t.Errorf("%q acts:\n%s", bad, text.String())
		}
	}
	if want := "and so has [its page](https://x.example/runs/a%29%20[b]%28http://y%29%20%3Cc%3E)."; !strings.Contains(text.String(), want) {
		t.Errorf("there is no %q:\n%s", want, text.String())
	}
}

func TestTheBriefReportSaysWhatTheProbeSawThatDeviated(t *testing.T) {
	for name, s := range told(t) {
		run := s.Run(t)
		if run.InjectedAt.IsZero() || len(run.Outstanding()) > 0 { // nothing was asked, or a person has to act first
			continue
		}
		for _, value := range []string{"503 in 20ms", strings.Repeat("503 in 20ms, and so on, ", 40)} {
			w := run.Watches[0]
			w.Deviation, w.Beyond = "it was not met", mishap.Observation{Result: mishap.Unmet, Value: value, Detail: "status is 503, not 200"}
			run.Deviation = w.Deviation
			out := brief(t, run)
			if !strings.Contains(out, "saw 503 in 20ms") {
				t.Errorf("%s: what the probe saw is not said:\n%s", name, out)
			}
			fits(t, name, out)
			fits(t, name+" with a page", briefWith(t, run, "https://chaos.example/a/rather/long/path/to/the/console/runs/7f3a91c2"))
			var gist bytes.Buffer
			if err := report.Gist(&gist, run); err != nil {
				t.Fatal(err)
			}
			fitsIn(t, 9, "gist of "+name, gist.String())
		}
	}
}

func TestAnIntervalThatSaysNothingIsSaidInWords(t *testing.T) {
	for _, tt := range []struct {
		row                      mishap.Row
		spoken, ranged, standing string
	}{
		{mishap.Row{What: "failed", More: mishap.Interval{Low: -1, Estimate: 1, High: 1}, Margin: .02, State: mishap.Open}, "failed: too few to tell, margin 2 pp", "too few to tell", "not yet known"},
		{mishap.Row{What: "failed", More: mishap.Interval{Low: -.99, Estimate: 1, High: 1}, Margin: .02, State: mishap.Open}, "failed: +100 pp [−99, +100], margin 2 pp", "+100 pp [−99, +100]", "open"},
		{mishap.Row{What: "events", Ratio: true, More: mishap.Interval{Low: 0, Estimate: 2, High: 1e9}, Margin: 1.2, State: mishap.Open}, "events: too few to tell, margin 20 %", "too few to tell", "not yet known"},
		{mishap.Row{What: "events", Ratio: true, More: mishap.Interval{Low: .9, Estimate: 1, High: 1.1}, Margin: 1.2, State: mishap.Within}, "events: 0 % [−10, +10], margin 20 %", "0 % [−10, +10]", "within"},
	} {
		r := report.Row{Row: tt.row}
		if r.Spoken() != tt.spoken || r.Range() != tt.ranged || r.Standing() != tt.standing {
			t.Errorf("%+v: %q, %q, %q", tt.row.More, r.Spoken(), r.Range(), r.Standing())
		}
	}
}
