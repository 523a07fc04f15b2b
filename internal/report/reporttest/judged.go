package reporttest

import (
	"testing"
	"time"

	"mishap"
)

// Judged is a run that was judged by intervals, as it could have been: the rows close in on their margins look by look.
type Judged struct {
	outcome  mishap.ComparisonOutcome
	reason   string
	extra    float64 // share of failures in the experiment beyond control's
	seconds  int
	waits    []string
	doubts   []string
	sooner   []mishap.Row
	noLimits bool // exposure is not known
}

// JudgedRuns are the runs of the golden files that were judged by intervals.
func JudgedRuns() map[string]Judged {
	return map[string]Judged{
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

// Journal is the story of the run from plan to verdict.
func (j Judged) Journal(t *testing.T) *Story {
	t.Helper()
	p := Scenes()["few"].Plan(t)
	p.Experiment.Compare.AtLeast, p.Experiment.Compare.Baseline = mishap.DefaultAtLeast, mishap.AutoBaseline()
	s := Tell(p)
	slow := SlowPayments()
	s.Wait(time.Second).State(mishap.Checking, "", "").Check("self", mishap.Yes, "").Observe(1, mishap.Before, Pays, mishap.Met, "200 in 12ms", "").
		Prepare(slow).State(mishap.Baseline, "", "")
	s.Wait(time.Second).Add(mishap.Entry{Comparison: &mishap.Comparison{Phase: mishap.InBaseline, Start: s.At, Width: mishap.Duration(time.Second), Ready: true, Metrics: counts(50, 50)}})
	s.State(mishap.Injecting, "", "").Injection(One, mishap.InjectionInjecting, "").Injection(One, mishap.InjectionInjected, "").State(mishap.Holding, "", "")
	for i := range j.seconds {
		look := j.look(s.At, i+1)
		if i%5 == 0 {
			felt := *FeltByMany()
			felt.Connections = int64(i + 1)
			s.Observe(1, mishap.During, Pays, mishap.Met, "200 in 14ms", "").Look(1, One, mishap.Yes, &felt)
		}
		s.Wait(time.Second).Add(mishap.Entry{Comparison: look})
	}
	causes := map[mishap.ComparisonOutcome]mishap.Cause{mishap.HarmShown: mishap.CauseHarm, mishap.HarmRuledOut: mishap.CauseCleared, mishap.Undecided: mishap.CauseUndecided}
	s.State(mishap.Reverting, causes[j.outcome], j.reason).Injection(One, mishap.InjectionReverting, "").Injection(One, mishap.InjectionReverted, "").State(mishap.Verifying, "", "")
	return s.Wait(time.Second).Observe(2, mishap.After, Pays, mishap.Met, "200 in 14ms", "").
		Add(mishap.Entry{Recovered: &mishap.Recovered{In: true, Took: mishap.Duration(time.Second), Resolution: mishap.Duration(time.Second), Attempts: 2}}).State(mishap.Completed, "", "")
}

func counts(control, experiment int64) []mishap.MetricLook {
	return []mishap.MetricLook{{
		Name: "success-rate", Control: mishap.ArmLook{Requests: 50, Successes: 50}, Experiment: mishap.ArmLook{Requests: 50, Successes: 49},
		Total: mishap.ArmsLook{Control: mishap.ArmLook{Requests: control, Successes: control - control/200}, Experiment: mishap.ArmLook{Requests: experiment, Successes: experiment - experiment/200}},
	}}
}

// look is the one after so many seconds: widths shrink with the root of the time.
func (j Judged) look(at time.Time, second int) *mishap.Comparison {
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
