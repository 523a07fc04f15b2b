package report_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"mishap"
	"mishap/internal/report"
)

// later is the same story as another run, a day later.
func later(t *testing.T, s *story, id string, days int) *mishap.Run {
	t.Helper()
	entries := slices.Clone(s.entries)
	for i := range entries {
		entries[i].Run, entries[i].At = id, entries[i].At.AddDate(0, 0, days)
	}
	r, err := mishap.Replay(entries)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTwoRunsStandBesideEachOther(t *testing.T) {
	all := scenes()
	var out bytes.Buffer
	if err := report.Compare(all["cleared"].journal(t).run(t), later(t, all["harmed"].journal(t), "0b55d1e9", 1)).Text(&out); err != nil {
		t.Fatal(err)
	}
	golden(t, "beside.txt", out.String())
}

func TestAShiftHoldsWheneverBothIntervalsDo(t *testing.T) {
	all := scenes()
	first, second := all["cleared"].journal(t).run(t), all["harmed"].journal(t).run(t)
	a, b := *first.Compared().Metrics[0].Difference, *second.Compared().Metrics[0].Difference
	got := report.Compare(first, second).Effects[0]
	if got.Metric != "success-rate" || got.Shift == nil || got.Shift.Low != b.Low-a.High || got.Shift.High != b.High-a.Low || got.Clear != (got.Shift.Low > 0) {
		t.Errorf("%+v of %+v and %+v", got, a, b)
	}
}

func TestWhatChangedIsSaidByPathAndName(t *testing.T) {
	first, second := stories()["held"].run(t), stories()["held"].run(t)
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

// fiveDays are runs of one experiment, newest first.
func fiveDays(t *testing.T) []*mishap.Run {
	all := scenes()
	return []*mishap.Run{
		later(t, all["harmed"].journal(t), "0b55d1e9", 4), later(t, stories()["refused"], "0b55d1e8", 3), later(t, all["few"].journal(t), "0b55d1e7", 2),
		later(t, all["harmed"].journal(t), "0b55d1e6", 1), all["cleared"].journal(t).run(t),
	}
}

func reportTrend(t *testing.T) report.Trend {
	return report.TrendOf("checkout-falls-back", fiveDays(t))
}

func TestTrendIsATableNewestFirst(t *testing.T) {
	var out, line, html bytes.Buffer
	trend := reportTrend(t)
	if err := trend.Text(&out); err != nil {
		t.Fatal(err)
	}
	golden(t, "trend.txt", out.String())
	if err := trend.JSON(&line); err != nil || strings.Count(line.String(), "\n") != 1 {
		t.Errorf("%v\n%s", err, line.String())
	}
	if err := trend.HTML(&html, "v1.2.3"); err != nil || !strings.Contains(html.String(), "Recovery time of each run") {
		t.Errorf("%v\n%s", err, html.String())
	}
}

func TestWhatIsComparedIsEscapedAndAtMost80ColumnsWide(t *testing.T) {
	run := attacked(t).run(t)
	var beside, trend, html bytes.Buffer
	b := report.Compare(run, stories()["held"].run(t))
	if err := b.Text(&beside); err != nil {
		t.Fatal(err)
	}
	if err := report.TrendOf(hostile, []*mishap.Run{run, fiveDays(t)[0]}).Text(&trend); err != nil {
		t.Fatal(err)
	}
	if err := report.TrendOf(hostile, []*mishap.Run{run}).HTML(&html, "v1"); err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{"beside": beside.String(), "trend": trend.String()} {
		for line := range strings.Lines(text) {
			checkLine(t, what, strings.TrimSuffix(line, "\n"))
		}
	}
	harmlessPage(t, "trend", html.String())
}
