package report_test

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"mishap"
	"mishap/internal/report"
	"mishap/internal/report/reporttest"
)

func TestTextTellsTheWholeStory(t *testing.T) {
	for name, s := range reporttest.Stories() {
		t.Run(name, func(t *testing.T) { reporttest.Golden(t, name+".txt", reporttest.Text(t, s.Run(t))) })
	}
}

func TestNoLineIsWiderThan80ColumnsAndNothingDrawsOnATerminal(t *testing.T) {
	all := reporttest.Stories()
	all["attacked"] = reporttest.Attacked(t)
	for name, s := range all {
		run := s.Run(t)
		status, plan, list := &bytes.Buffer{}, &bytes.Buffer{}, &bytes.Buffer{}
		if err := report.Status(status, []*mishap.Run{run}, nowhere, reporttest.Began()); err != nil {
			t.Fatal(err)
		}
		if err := report.PlanSheet(run.Plan, kinds(), []mishap.Check{{Safeguard: reporttest.Hostile, Answer: mishap.No, Reason: reporttest.Hostile}}, []string{reporttest.Hostile}).Text(plan); err != nil {
			t.Fatal(err)
		}
		if err := report.List(list, []mishap.Experiment{run.Plan.Experiment}, func(mishap.Experiment) []string { return []string{reporttest.Hostile} }); err != nil {
			t.Fatal(err)
		}
		for what, out := range map[string]string{"text": reporttest.Text(t, run), "status": status.String(), "plan": plan.String(), "list": list.String()} {
			for line := range strings.Lines(out) {
				reporttest.CheckLine(t, name+" "+what, strings.TrimSuffix(line, "\n"))
			}
		}
	}
}

func TestLongWordsAreBrokenNotLost(t *testing.T) {
	got := strings.Join(strings.Fields(reporttest.Text(t, reporttest.Attacked(t).Run(t))), "")
	if !strings.Contains(got, strings.Repeat("a", 117)+"/END") {
		t.Error("a long word was cut")
	}
	if strings.Contains(reporttest.Text(t, reporttest.Attacked(t).Run(t)), "[0m") {
		t.Error("an escape sequence left its letters behind")
	}
}

func TestStrandedSaysWhatIsInAndHowToEndItBeforeAnythingElse(t *testing.T) {
	out := reporttest.Text(t, reporttest.Stories()["stranded"].Run(t))
	top, _, _ := strings.Cut(out, "\nclaim")
	for _, want := range []string{"STILL IN FORCE: payments is slow on proxy payments", "mishap revert 7f3a91c2", "--settle"} {
		if !strings.Contains(top, want) {
			t.Errorf("the top does not say %q:\n%s", want, top)
		}
	}
}

func TestTextOfAnyPrefixOfAJournalIsWritten(t *testing.T) {
	for name, s := range reporttest.Stories() {
		run := &mishap.Run{}
		for i, e := range s.Entries {
			if err := run.Apply(e); err != nil {
				t.Fatal(err)
			}
			if e.Observation == nil && e.Effect == nil && reporttest.Text(t, run) == "" {
				t.Errorf("%s: nothing after entry %d", name, i+1)
			}
		}
	}
}

func kinds() map[string]mishap.InjectorKind {
	return map[string]mishap.InjectorKind{
		"proxy-latency": {
			Keeper: mishap.KeeperProxy, Traffic: true, Do: []string{"connect to the proxy's control socket"}, Undo: []string{"connect to the proxy's control socket"},
			WhenLost: "the fault expires in the proxy within 15s",
		},
		"process-stop": {
			Keeper: mishap.KeeperProcess, Do: []string{"kill(2) as the process's user", "CAP_KILL"}, Undo: []string{"kill(2) as the process's user", "CAP_KILL"},
			WhenLost: "the processes stay stopped until `mishap revert` or kill -CONT",
		},
		"process-kill": {Keeper: mishap.KeeperProcess, Class: mishap.Irreversible, WhenLost: "nothing: the processes are gone already"},
	}
}

func TestPlanSaysWhatWouldBeTouchedAndHowLongHarmCanLast(t *testing.T) {
	var out bytes.Buffer
	if err := report.PlanSheet(reporttest.CheckoutPlan(), kinds(), nil, nil).Text(&out); err != nil {
		t.Fatal(err)
	}
	reporttest.Golden(t, "plan.txt", out.String())
}

// TestPlanSaysOfEachMetricWhoseUnitsItGoesByOrThatItDecidesNothing: totals have a margin too, which is of no use.
func TestPlanSaysOfEachMetricWhoseUnitsItGoesByOrThatItDecidesNothing(t *testing.T) {
	p := reporttest.CheckoutPlan()
	orders := mishap.CompareMetric{Name: "orders", Metric: mishap.SuccessRate, Source: "prometheus", Margin: mishap.Margin{Difference: 0.01}}
	bySlot := orders
	bySlot.Name, bySlot.Unit = "carts", "slot"
	p.Experiment.Compare = &mishap.Compare{Arms: mishap.Arms{From: mishap.ArmsFromRequests, Proxy: "edge"}, Metrics: []mishap.CompareMetric{orders, bySlot}}
	var out bytes.Buffer
	if err := report.PlanSheet(p, kinds(), nil, nil).Text(&out); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{"orders (success-rate) from prometheus: shown, and decides nothing", "carts (success-rate) from prometheus, units by slot: up to 1 percentage points more failures are tolerated"} {
		if !strings.Contains(text, want) {
			t.Errorf("nothing says %q:\n%s", want, out.String())
		}
	}
}

func TestPlanSaysWhatSafeguardsAnswerAndThatThereIsNoUndo(t *testing.T) {
	p := reporttest.CheckoutPlan()
	p.Experiment.Source.Commit = ""
	p.Experiment.Faults[1].Injector, p.Experiment.SteadyState[1].When = "process-kill", []mishap.Phase{mishap.Before}
	p.Experiment.BlastRadius.Share, p.Experiment.Faults[0].Injector = 0, "unheard-of"
	p.Injections = p.Injections[1:]
	checks := []mishap.Check{{Safeguard: "self", Answer: mishap.Yes}, {Safeguard: "window", Answer: mishap.No, Reason: "it is Sunday"}}
	var out bytes.Buffer
	if err := report.PlanSheet(p, kinds(), checks, nil).Text(&out); err != nil {
		t.Fatal(err)
	}
	reporttest.Golden(t, "plan-checked.txt", out.String())
}

func TestStatusNamesWhatIsStillIn(t *testing.T) {
	all, names, runs := reporttest.Stories(), []string{}, []*mishap.Run{}
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		runs = append(runs, all[name].Run(t))
	}
	var out bytes.Buffer
	if err := report.Status(&out, runs, nowhere, reporttest.Began().Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	reporttest.Golden(t, "status.txt", out.String())
}

func TestListShowsNameInjectorsAndClaim(t *testing.T) {
	long := reporttest.CheckoutPlan().Experiment
	long.Name = strings.Repeat("checkout-survives-", 3) + "everything"
	var out bytes.Buffer
	if err := report.List(&out, []mishap.Experiment{reporttest.CheckoutPlan().Experiment, long}, func(mishap.Experiment) []string { return nil }); err != nil {
		t.Fatal(err)
	}
	reporttest.Golden(t, "list.txt", out.String())
}

// TestWhatNobodyServedWasMissedAndNotRefused in whatever shows the run.
func TestWhatNobodyServedWasMissedAndNotRefused(t *testing.T) {
	story := reporttest.Tell(reporttest.CheckoutPlan()).State(mishap.Refused, mishap.CauseMissed, "nobody served it when it was due, 3h ago")
	run := story.Run(t)
	var brief, table, markdown, beside bytes.Buffer
	for _, err := range []error{
		report.Brief(&brief, run, ""), report.Markdown(&markdown, run, ""),
		report.Status(&table, []*mishap.Run{run}, func(string) string { return "" }, run.PlannedAt),
		report.TrendOf("checkout", []*mishap.Run{run}).Text(&beside),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	change := report.NewChanges().Of(story.Entries[len(story.Entries)-1], run)[0]
	for where, text := range map[string]string{
		"report": reporttest.Text(t, run), "brief": brief.String(), "status": table.String(), "markdown": markdown.String(), "trend": beside.String(), "change": change.Word + " " + change.Text,
	} {
		if lower := strings.ToLower(text); !strings.Contains(lower, "missed") || strings.Contains(lower, "refused") {
			t.Errorf("%s:\n%s", where, text)
		}
	}
}

func TestAChangeSaysOnceWhyAndByWhom(t *testing.T) {
	run := reporttest.Tell(reporttest.CheckoutPlan()).In().Run(t)
	for _, c := range []struct {
		change mishap.StateChange
		want   string
	}{
		{mishap.StateChange{Cause: mishap.CauseHalt, By: "ann", Reason: "halted by ann at 12:00: incident"}, "halted by ann at 12:00: incident"},
		{mishap.StateChange{Cause: mishap.CauseInterrupt, By: "ann", Reason: "stopped by ann"}, "interrupt: stopped by ann"},
		{mishap.StateChange{Cause: mishap.CauseInterrupt, By: "ann", Reason: "interrupted by Ctrl-C"}, "interrupt by ann: interrupted by Ctrl-C"},
		{mishap.StateChange{Cause: mishap.CauseAbort, By: "ann", Reason: "incident"}, "abort by ann: incident"},
		{mishap.StateChange{Cause: mishap.CauseElapsed, Reason: "its time is over"}, "elapsed: its time is over"},
	} {
		c.change.To = mishap.Reverting
		if got := report.NewChanges().Of(mishap.Entry{State: &c.change}, run); len(got) != 1 || got[0].Text != c.want {
			t.Errorf("%v, want %q", got, c.want)
		}
	}
}

func TestTheReportDeniesNothingThatAProxyForgot(t *testing.T) {
	for _, c := range []struct {
		name      string
		saw       int64
		sheet     string
		brief     string
		inOneLine string
	}{
		{"nothing was seen before", 0, "what it affected is not known: the proxy that counted", ": not known: the proxy", "not known any more"},
		{"some was seen before", 3, "affected at least 3 connections, 2100 bytes: the proxy that counted", ": at least 3 connections, 2100 bytes; the proxy", "at least 3 connections, 2100 bytes"},
	} {
		s := reporttest.Tell(reporttest.CheckoutPlan()).In().Look(1, reporttest.One, mishap.Yes, &mishap.Traffic{Connections: c.saw, Bytes: 700 * c.saw, Count: c.saw}).
			Look(1, reporttest.One, mishap.No, nil)
		run := s.Run(t)
		in := run.Injection(reporttest.One)
		if got := strings.Join(report.History(in), "\n"); !strings.Contains(got, c.sheet) || strings.Contains(got, "no traffic") {
			t.Errorf("%s: the sheet says\n%s", c.name, got)
		}
		if got := report.Affected(run, in.Fault); !strings.Contains(got, c.brief) {
			t.Errorf("%s: in brief it is %q", c.name, got)
		}
		if got := report.AffectedNow(in); got != c.inOneLine {
			t.Errorf("%s: live it is %q", c.name, got)
		}
	}
}

func TestTheReportCountsWhatARestartOfTheProxyLeft(t *testing.T) {
	run := reporttest.Tell(reporttest.CheckoutPlan()).In().
		Add(mishap.Entry{Effect: &mishap.Effect{Injection: reporttest.One, InForce: mishap.Yes, Left: 3}}).
		Add(mishap.Entry{Effect: &mishap.Effect{Injection: reporttest.One, InForce: mishap.Yes, Left: 1}}).Run(t)
	if got := reporttest.Text(t, run); !strings.Contains(got, "3 connections that a restart of the proxy left") {
		t.Errorf("the text has no word of what was left:\n%s", got)
	}
	if s := report.Summarize(run); s.Injections[0].Left != 3 {
		t.Errorf("the summary has %d", s.Injections[0].Left)
	}
}

func TestARevertThatFailsIsSaidWhereverTheRunIsShown(t *testing.T) {
	failing, over := reporttest.Denied()
	const denied = "denied: not authorized to SetQueueAttributes"
	run := over.Run(t)
	if verdict, _ := mishap.Judge(run); verdict != mishap.Held {
		t.Fatalf("it is %q, want held: what is beside the verdict is to be seen", verdict)
	}
	views := map[string]struct {
		run   *mishap.Run
		write func(io.Writer, *mishap.Run) error
		want  []string
	}{
		"status":            {failing.Run(t), func(w io.Writer, r *mishap.Run) error { return report.Status(w, []*mishap.Run{r}, nowhere, failing.At) }, []string{"reverting: " + denied}},
		"report on the way": {failing.Run(t), report.Text, []string{"reverting: " + denied, "was tried again: " + denied}},
		"report":            {run, report.Text, []string{"TOO LONG: payments is slow on proxy payments was in force for", "of that 3m because reverts failed: " + denied, "was tried again: " + denied}},
		"brief":             {run, func(w io.Writer, r *mishap.Run) error { return report.Brief(w, r, "") }, []string{"HELD", "TOO LONG: payments is slow"}},
		"gist":              {run, report.Gist, []string{"HELD", "TOO LONG: payments is slow"}},
		"markdown":          {run, func(w io.Writer, r *mishap.Run) error { return report.Markdown(w, r, "") }, []string{"too long: payments is slow"}},
	}
	for name, v := range views {
		var out bytes.Buffer
		if err := v.write(&out, v.run); err != nil {
			t.Fatal(err)
		}
		for _, want := range v.want {
			if text := strings.Join(strings.Fields(out.String()), " "); !strings.Contains(text, want) {
				t.Errorf("%s does not say %q:\n%s", name, want, out.String())
			}
		}
	}
	var plain bytes.Buffer
	if err := report.Text(&plain, reporttest.Stories()["held"].Run(t)); err != nil || strings.Contains(plain.String(), "TOO LONG") {
		t.Errorf("a run whose reverts succeeded says %s (%v)", plain.String(), err)
	}
}
