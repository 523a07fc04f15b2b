package report_test

import (
	"bytes"
	"strings"
	"testing"

	"mishap"
	"mishap/internal/report"
	"mishap/internal/report/reporttest"
)

func TestScenesAreWhatTheyAreCalled(t *testing.T) {
	want := map[string]mishap.ComparisonOutcome{
		"cleared": mishap.HarmRuledOut, "harmed": mishap.HarmShown, "few": mishap.Undecided, "gone-silent": mishap.Undecided,
	}
	for name, s := range reporttest.Scenes() {
		c := s.Journal(t).Run(t).Compared()
		if c.Outcome != want[name] {
			t.Errorf("%s: %s (%s)", name, c.Outcome, c.Reason)
		}
		t.Logf("%s: %s: %s after %s left, harm %.2f, clear %.2f %.2f, extra %.1f, doubts %v", name, c.Outcome, c.Reason, c.Left, c.Harm, c.Metrics[0].Clear, c.Metrics[1].Clear, c.Extra, c.Doubts)
	}
}

func TestTextSaysWhatTheArmsHaveShown(t *testing.T) {
	for name, s := range reporttest.Scenes() {
		out := reporttest.Text(t, s.Journal(t).Run(t))
		reporttest.Golden(t, "arms-"+name+".txt", out)
		for line := range strings.Lines(out) {
			reporttest.CheckLine(t, name, strings.TrimSuffix(line, "\n"))
		}
	}
}

func TestMachinesGetTheComparisonAndTheCost(t *testing.T) {
	run := reporttest.Scenes()["harmed"].Journal(t).Run(t)
	s := report.Summarize(run)
	switch c := s.Comparison; {
	case c == nil || c.Outcome == nil || *c.Outcome != mishap.HarmShown || c.Harm == nil || *c.Harm != 1 || c.Clear == nil || c.Baseline == nil || c.Last == nil:
		t.Errorf("comparison is %+v", c)
	case c.Extra < 5 || c.Last.Phase != mishap.InHold || c.Baseline.Phase != mishap.InBaseline:
		t.Errorf("comparison is %+v", c)
	}
	if s.Cost == nil || s.Cost.Amount <= 0 || !strings.Contains(s.Cost.Assumes, "extra failed requests at 1.80 each") {
		t.Errorf("cost is %+v", s.Cost)
	}
	if s := report.Summarize(reporttest.Stories()["held"].Run(t)); s.Comparison != nil || s.Cost != nil {
		t.Errorf("without arms and prices: %+v, %+v", s.Comparison, s.Cost)
	}
	var out bytes.Buffer
	if err := report.JUnit(&out, []*mishap.Run{run}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`<property name="proofOfHarm" value="1.000">`, `<property name="extraFailedRequests"`, `<property name="estimatedCost"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in\n%s", want, out.String())
		}
	}
}

// TestWhatTheArmsKnowToHaveMetAFaultIsNotDenied: harm may be shown before anybody has asked the fault whom it met.
func TestWhatTheArmsKnowToHaveMetAFaultIsNotDenied(t *testing.T) {
	run := reporttest.JudgedRuns()["deviated"].Journal(t).Run(t)
	for _, in := range run.Injections {
		in.Felt = &mishap.Traffic{}
	}
	if got := report.Compared(run).Result(); got != "harm beyond the margin is shown" {
		t.Errorf("it says that %s", got)
	}
	run.Compared().Intervals.Met = nil
	if got := report.Compared(run).Result(); got != "the arms differ, and nothing is known to have met a fault" {
		t.Errorf("where nothing is known it says that %s", got)
	}
}

// TestOnlyWhatHeldHasSecondsThatItHeld in JUnit, for who plots them.
func TestOnlyWhatHeldHasSecondsThatItHeld(t *testing.T) {
	for name, j := range reporttest.JudgedRuns() {
		var out bytes.Buffer
		if err := report.JUnit(&out, []*mishap.Run{j.Journal(t).Run(t)}); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), `name="heldSeconds"`) != (name == "held") {
			t.Errorf("%s:\n%s", name, out.String())
		}
	}
}
