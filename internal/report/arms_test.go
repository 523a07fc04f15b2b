package report_test

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"

	"mishap"
	"mishap/internal/report"
)

func TestScenesAreWhatTheyAreCalled(t *testing.T) {
	want := map[string]mishap.ComparisonOutcome{
		"cleared": mishap.HarmRuledOut, "harmed": mishap.HarmShown, "few": mishap.Undecided, "gone-silent": mishap.Undecided,
	}
	for name, s := range scenes() {
		c := s.journal(t).run(t).Compared()
		if c.Outcome != want[name] {
			t.Errorf("%s: %s (%s)", name, c.Outcome, c.Reason)
		}
		t.Logf("%s: %s: %s after %s left, harm %.2f, clear %.2f %.2f, extra %.1f, doubts %v", name, c.Outcome, c.Reason, c.Left, c.Harm, c.Metrics[0].Clear, c.Metrics[1].Clear, c.Extra, c.Doubts)
	}
}

func TestTextSaysWhatTheArmsHaveShown(t *testing.T) {
	for name, s := range scenes() {
		out := text(t, s.journal(t).run(t))
		golden(t, "arms-"+name+".txt", out)
		for line := range strings.Lines(out) {
			checkLine(t, name, strings.TrimSuffix(line, "\n"))
		}
	}
}

func TestPlainLinesSayWhatChangesBetweenTheArms(t *testing.T) {
	for name, s := range scenes() {
		var out bytes.Buffer
		v := report.NewView(&out)
		show(t, v, s.journal(t).entries, nil)
		v.Close()
		golden(t, "plain-arms-"+name+".txt", out.String())
	}
}

func TestLiveViewShowsBothArmsTheirDifferenceAndTheProofs(t *testing.T) {
	for name, part := range map[string]struct {
		scene string
		until func(mishap.Entry) bool
	}{
		"baseline": {"harmed", func(e mishap.Entry) bool { return e.State != nil && e.State.To == mishap.Injecting }},
		"harm":     {"harmed", func(e mishap.Entry) bool { return e.Comparison != nil && e.Comparison.Harm > .6 }},
		"no-harm":  {"cleared", func(e mishap.Entry) bool { return e.Comparison != nil && e.Comparison.Metrics[0].Clear > .6 }},
		"doubt":    {"gone-silent", func(e mishap.Entry) bool { return e.Comparison != nil && e.Comparison.Doubts != nil }},
		"over":     {"harmed", func(mishap.Entry) bool { return false }},
	} {
		synctest.Test(t, func(t *testing.T) {
			entries := scenes()[part.scene].journal(t).entries
			for i := range entries {
				if part.until(entries[i]) {
					entries = entries[:i]
					break
				}
			}
			golden(t, "live-arms-"+name+".txt", liveScreen(t, entries))
		})
	}
}

func TestMachinesGetTheComparisonAndTheCost(t *testing.T) {
	run := scenes()["harmed"].journal(t).run(t)
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
	if s := report.Summarize(stories()["held"].run(t)); s.Comparison != nil || s.Cost != nil {
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
