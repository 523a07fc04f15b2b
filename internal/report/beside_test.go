package report_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"mishap"
	"mishap/internal/report"
	"mishap/internal/report/reporttest"
)

func TestTwoRunsStandBesideEachOther(t *testing.T) {
	all := reporttest.Scenes()
	var out bytes.Buffer
	if err := report.Compare(all["cleared"].Journal(t).Run(t), reporttest.Later(t, all["harmed"].Journal(t), "0b55d1e9", 1)).Text(&out); err != nil {
		t.Fatal(err)
	}
	reporttest.Golden(t, "beside.txt", out.String())
}

func TestAShiftHoldsWheneverBothIntervalsDo(t *testing.T) {
	all := reporttest.Scenes()
	first, second := all["cleared"].Journal(t).Run(t), all["harmed"].Journal(t).Run(t)
	a, b := *first.Compared().Metrics[0].Difference, *second.Compared().Metrics[0].Difference
	got := report.Compare(first, second).Effects[0]
	if got.Metric != "success-rate" || got.Shift == nil || got.Shift.Low != b.Low-a.High || got.Shift.High != b.High-a.Low || got.Clear != (got.Shift.Low > 0) {
		t.Errorf("%+v of %+v and %+v", got, a, b)
	}
}

func TestWhatChangedIsSaidByPathAndName(t *testing.T) {
	first, second := reporttest.Stories()["held"].Run(t), reporttest.Stories()["held"].Run(t)
	if got := report.Compare(first, second).Changed; len(got) != 0 {
		t.Errorf("nothing changed, and yet: %v", got)
	}
	e := &second.Plan.Experiment
	e.Source.Commit, e.Source.Dirty = "aaaa", false
	e.Faults = []mishap.Fault{{Name: "new", Injector: "proxy-reset"}, e.Faults[0], e.Faults[1]}
	e.Faults[1].With = json.RawMessage(`{"delay":"500ms"}`)
	got := map[string]report.Change{}
	for _, c := range report.Compare(first, second).Changed {
		got[c.What] = c
	}
	for what, to := range map[string]string{
		"commit": "aaaa", "faults[new].injector": "proxy-reset", "faults[payments is slow].with.delay": "500ms",
	} {
		if got[what].To != to {
			t.Errorf("%s: %+v, want %s", what, got[what], to)
		}
	}
	for what := range got {
		if strings.HasPrefix(what, "faults[a worker hangs]") {
			t.Errorf("%s did not change: %+v", what, got[what])
		}
	}
}

func TestTrendIsATableNewestFirst(t *testing.T) {
	var out, line bytes.Buffer
	trend := reporttest.Trend(t)
	if err := trend.Text(&out); err != nil {
		t.Fatal(err)
	}
	reporttest.Golden(t, "trend.txt", out.String())
	if err := trend.JSON(&line); err != nil || strings.Count(line.String(), "\n") != 1 {
		t.Errorf("%v\n%s", err, line.String())
	}
}

func TestWhatIsComparedIsCleanAndAtMost80ColumnsWide(t *testing.T) {
	run := reporttest.Attacked(t).Run(t)
	var beside, trend bytes.Buffer
	b := report.Compare(run, reporttest.Stories()["held"].Run(t))
	if err := b.Text(&beside); err != nil {
		t.Fatal(err)
	}
	if err := report.TrendOf(reporttest.Hostile, []*mishap.Run{run, reporttest.FiveDays(t)[0]}).Text(&trend); err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{"beside": beside.String(), "trend": trend.String()} {
		for line := range strings.Lines(text) {
			reporttest.CheckLine(t, what, strings.TrimSuffix(line, "\n"))
		}
	}
}
