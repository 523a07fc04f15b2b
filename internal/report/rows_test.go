package report_test

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/internal/report"
)

// judged is a run that was judged by intervals, as it could have been: the rows close in on their margins look by look.
type judged struct {
	outcome  mishap.ComparisonOutcome
	reason   string
	extra    float64 // share of failures in the experiment beyond control's
	seconds  int
	waits    []string
	doubts   []string
	sooner   []mishap.Row
	noLimits bool // exposure is not known
}

func judgedRuns() map[string]judged {
	return map[string]judged{
		"held": {
			outcome: mishap.HarmRuledOut, seconds: 96,
			reason: "for 1m36s: no harm beyond the margins to the 1,004 users of the experiment (all attempts; 448 of 4,480 requests met the fault, 452 of control's would have)",
		},
		"deviated": {
			outcome: mishap.HarmShown, seconds: 12, extra: .045,
			reason: "failed: at least 1.2 pp more in the experiment, margin 0.5 pp",
			sooner: []mishap.Row{{
				Metric: "success-rate", What: "failed", Of: "users' first requests", Control: mishap.RowArm{Bad: 0, Of: 10}, Experiment: mishap.RowArm{Bad: 12, Of: 12},
				More: mishap.Interval{Low: .25, Estimate: 1, High: 1}, Margin: .005, State: mishap.Beyond,
			}},
		},
		"inconclusive": {
			outcome: mishap.Undecided, seconds: 30, noLimits: true, doubts: []string{"latency has not been measured for a while"},
			waits:  []string{"success-rate: its interval still reaches beyond the margin"},
			reason: "the time was over: 5 of 20 users fail, 0 of 20 in control: such a split has a chance of 1 in 32 if the arm makes no difference; 7 would do, or a greater alpha",
		},
	}
}

func (j judged) journal(t *testing.T) *story {
	t.Helper()
	p := scenes()["few"].plan(t)
	p.Experiment.Compare.AtLeast, p.Experiment.Compare.Baseline = mishap.DefaultAtLeast, mishap.AutoBaseline()
	s := tell(p)
	slow := slowPayments()
	s.wait(time.Second).state(mishap.Checking, "", "").check("self", mishap.Yes, "").observe(1, mishap.Before, pays, mishap.Met, "200 in 12ms", "").
		prepare(slow).state(mishap.Baseline, "", "")
	s.wait(time.Second).add(mishap.Entry{Comparison: &mishap.Comparison{Phase: mishap.InBaseline, Start: s.at, Width: mishap.Duration(time.Second), Ready: true, Metrics: counts(50, 50)}})
	s.state(mishap.Injecting, "", "").injection(one, mishap.InjectionInjecting, "").injection(one, mishap.InjectionInjected, "").state(mishap.Holding, "", "")
	for i := range j.seconds {
		look := j.look(s.at, i+1)
		if i%5 == 0 {
			felt := *feltByMany
			felt.Connections = int64(i + 1)
			s.observe(1, mishap.During, pays, mishap.Met, "200 in 14ms", "").look(1, one, mishap.Yes, &felt)
		}
		s.wait(time.Second).add(mishap.Entry{Comparison: look})
	}
	causes := map[mishap.ComparisonOutcome]mishap.Cause{mishap.HarmShown: mishap.CauseHarm, mishap.HarmRuledOut: mishap.CauseCleared, mishap.Undecided: mishap.CauseUndecided}
	s.state(mishap.Reverting, causes[j.outcome], j.reason).injection(one, mishap.InjectionReverting, "").injection(one, mishap.InjectionReverted, "").state(mishap.Verifying, "", "")
	return s.wait(time.Second).observe(2, mishap.After, pays, mishap.Met, "200 in 14ms", "").
		add(mishap.Entry{Recovered: &mishap.Recovered{In: true, Took: mishap.Duration(time.Second), Resolution: mishap.Duration(time.Second), Attempts: 2}}).state(mishap.Completed, "", "")
}

func counts(control, experiment int64) []mishap.MetricLook {
	return []mishap.MetricLook{{
		Name: "success-rate", Control: mishap.ArmLook{Requests: 50, Successes: 50}, Experiment: mishap.ArmLook{Requests: 50, Successes: 49},
		Total: mishap.ArmsLook{Control: mishap.ArmLook{Requests: control, Successes: control - control/200}, Experiment: mishap.ArmLook{Requests: experiment, Successes: experiment - experiment/200}},
	}}
}

// look is the one after so many seconds: widths shrink with the root of the time.
func (j judged) look(at time.Time, second int) *mishap.Comparison {
	n := int64(47 * second)
	wide := .034 / (1 + float64(second)/17)
	c := &mishap.Comparison{Phase: mishap.InHold, Start: at, Width: mishap.Duration(time.Second), Metrics: counts(n, n-int64(second/2)), Extra: float64(second) * j.extra * 47, Left: mishap.Duration(time.Duration(600-second) * time.Second), Doubts: j.doubts}
	failed := mishap.Row{
		Metric: "success-rate", What: "failed", Control: mishap.RowArm{Bad: n / 196, Of: n, Units: 1010}, Experiment: mishap.RowArm{Bad: n / 204, Of: n, Units: 1004},
		More: mishap.Interval{Low: j.extra - .0002 - wide, Estimate: j.extra - .0002, High: j.extra - .0002 + wide*.85}, Margin: .005, Clears: true,
	}
	slower := mishap.Row{
		Metric: "latency", What: "slower, p99", Control: mishap.RowArm{Bad: n / 100, Of: n, Slow: mishap.Duration(192 * time.Millisecond)}, Experiment: mishap.RowArm{Bad: n / 250, Of: n, Slow: mishap.Duration(231 * time.Millisecond)},
		More: mishap.Interval{Low: -.006 - wide, Estimate: -.006, High: -.006 + wide*.7}, Same: -.006, Margin: 0, Clears: true,
	}
	c.Intervals = &mishap.Intervals{
		In: mishap.Duration(time.Duration(second) * time.Second), Earliest: mishap.Duration(time.Minute), Units: &mishap.ArmCount{Control: 1010, Experiment: 1004},
		Requests: &mishap.ArmCount{Control: n, Experiment: n}, Met: &mishap.ArmCount{Control: n / 10, Experiment: n / 10}, Baseline: mishap.Duration(time.Minute), Rejected: &mishap.ArmCount{Control: 3, Experiment: 5},
		Guards:    []mishap.Guard{{Metric: "success-rate", What: "failed", Of: "both arms", More: mishap.Interval{Low: -.004, Estimate: .0003, High: .0035}, Margin: .005, State: mishap.Within}},
		Unclaimed: []string{"anything after " + mishap.Duration(time.Duration(second)*time.Second).String(), "beyond p99", "a fault that breaks fewer than 1 in 218 users wholly"},
		Waits:     j.waits,
	}
	all := failed
	all.Of, all.State, all.Clears = "all requests", mishap.NoLimit, false
	all.Control.Of, all.Experiment.Of = 10*n, 10*n
	c.Intervals.Beside = []mishap.Row{all}
	if j.noLimits {
		c.Intervals.Met, c.Intervals.Beside = nil, nil
	}
	for _, r := range []mishap.Row{failed, slower} {
		switch {
		case r.More.High < r.Margin:
			r.State = mishap.Within
		case r.More.Low > r.Margin:
			r.State = mishap.Beyond
		default:
			r.State = mishap.Open
		}
		c.Intervals.Rows = append(c.Intervals.Rows, r)
	}
	if second == j.seconds {
		c.Outcome, c.Reason, c.Intervals.Sooner = j.outcome, j.reason, j.sooner
	}
	return c
}

func TestTextSaysTheIntervalThatDecides(t *testing.T) {
	for name, j := range judgedRuns() {
		run := j.journal(t).run(t)
		out := text(t, run)
		golden(t, "rows-"+name+".txt", out)
		for line := range strings.Lines(out) {
			checkLine(t, name, strings.TrimSuffix(line, "\n"))
		}
		if strings.Contains(out, "proof") {
			t.Errorf("%s: a run that is judged by intervals speaks of proof", name)
		}
		var html, junit bytes.Buffer
		if err := report.HTML(&html, j.journal(t).entries, "v1"); err != nil {
			t.Fatal(err)
		}
		if err := report.JUnit(&junit, []*mishap.Run{run}); err != nil {
			t.Fatal(err)
		}
		for what, text := range map[string]string{"page": html.String(), "junit": junit.String()} {
			if low := strings.ToLower(text); strings.Contains(low, "proof of") || strings.Contains(low, "is proven") || strings.Contains(low, "proofof") {
				t.Errorf("%s of %s speaks of proof", what, name)
			}
		}
		if !strings.Contains(html.String(), `class="plot forest"`) {
			t.Errorf("%s: the page shows no interval against its margin", name)
		}
		s := report.Summarize(run).Comparison
		if s.Method != "intervals" || s.What == nil || s.Harm != nil || len(s.What.Rows) != 2 {
			t.Errorf("%s: machines get %+v", name, s)
		}
	}
}

func TestPlainLinesSayWhichIntervalsAreDecided(t *testing.T) {
	for name, j := range judgedRuns() {
		var out bytes.Buffer
		v := report.NewView(&out)
		show(t, v, j.journal(t).entries, nil)
		v.Close()
		golden(t, "plain-rows-"+name+".txt", out.String())
	}
}

func TestLiveViewShowsIntervalsClosingInOnTheirMargins(t *testing.T) {
	for name, until := range map[string]int{"held": 40, "deviated": 6, "inconclusive": 20} {
		synctest.Test(t, func(t *testing.T) {
			entries := judgedRuns()[name].journal(t).entries
			for i := range entries {
				if c := entries[i].Comparison; c != nil && c.Intervals != nil && c.Intervals.In >= mishap.Duration(time.Duration(until)*time.Second) {
					entries = entries[:i]
					break
				}
			}
			golden(t, "live-rows-"+name+".txt", liveScreen(t, entries))
		})
	}
}
