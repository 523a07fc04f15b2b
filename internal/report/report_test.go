package report_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"mishap"
	"mishap/internal/report"
)

func TestTextTellsTheWholeStory(t *testing.T) {
	for name, s := range stories() {
		t.Run(name, func(t *testing.T) { golden(t, name+".txt", text(t, s.run(t))) })
	}
}

// hostile is what a system under test may answer.
const hostile = "\x1b[31mred\x1b[0m \x1b]0;title\a\u009b2J\u202eback\r\n\tnext \xff\ufffe " +
	"wörter 漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字 ]]> <b>&amp; " +
	"https://example.com/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/END"

// hostileName is a probe's: reasons quote it, and so make escapes visible.
var hostileName = hostile[strings.Index(hostile, "wörter"):]

// attacked is a run in which every string that comes from outside is hostile.
func attacked(t *testing.T) *story {
	t.Helper()
	p := checkoutPlan()
	p.Host, p.Notes = hostile, []string{hostile}
	p.Experiment.Name, p.Experiment.Claim, p.Experiment.Owner, p.Experiment.Group = hostile, hostile, hostile, hostile
	p.Experiment.Source.File, p.Experiment.SteadyState[0].Name = hostile, hostileName
	p.Experiment.Faults[0].Name = hostile
	in := slowPayments()
	in.Fault, in.Target.Name, in.Target.ID, in.Notes = hostile, hostile, hostile, []string{hostile}
	in.Target.Where = mishap.Place{Host: hostile}
	p.Injections[0] = in
	return tell(p).state(mishap.Checking, "", "").check(hostile, mishap.No, hostile).check(hostile+"2", mishap.Yes, "").
		observe(1, mishap.Before, hostileName, mishap.Met, hostile, hostile).
		prepare(in).state(mishap.Injecting, "", "").injection(one, mishap.InjectionInjecting, "").injection(one, mishap.InjectionInjected, "").
		state(mishap.Holding, "", "").observe(3, mishap.During, hostileName, mishap.Unmet, hostile, hostile).
		add(mishap.Entry{Effect: &mishap.Effect{Injection: one, InForce: mishap.Unknown, Detail: hostile}}).
		add(mishap.Entry{State: &mishap.StateChange{To: mishap.Reverting, Cause: mishap.CauseAbort, Reason: hostile, By: hostile}}).
		injection(one, mishap.InjectionReverting, "").injection(one, mishap.InjectionStranded, hostile).
		add(mishap.Entry{Note: &mishap.Note{Text: hostile}}).state(mishap.Stranded, "", hostile)
}

func TestNoLineIsWiderThan80ColumnsAndNothingDrawsOnATerminal(t *testing.T) {
	all := stories()
	all["attacked"] = attacked(t)
	for name, s := range all {
		run := s.run(t)
		status, plan, list := &bytes.Buffer{}, &bytes.Buffer{}, &bytes.Buffer{}
		if err := report.Status(status, []*mishap.Run{run}, began); err != nil {
			t.Fatal(err)
		}
		if err := report.Plan(plan, run.Plan, kinds(), []mishap.Check{{Safeguard: hostile, Answer: mishap.No, Reason: hostile}}, []string{hostile}); err != nil {
			t.Fatal(err)
		}
		if err := report.List(list, []mishap.Experiment{run.Plan.Experiment}, func(mishap.Experiment) []string { return []string{hostile} }); err != nil {
			t.Fatal(err)
		}
		for what, out := range map[string]string{"text": text(t, run), "status": status.String(), "plan": plan.String(), "list": list.String()} {
			for line := range strings.Lines(out) {
				checkLine(t, name+" "+what, strings.TrimSuffix(line, "\n"))
			}
		}
	}
}

func checkLine(t *testing.T, what, line string) {
	t.Helper()
	columns := 0
	for _, r := range line {
		columns++
		if unicode.Is(unicode.Han, r) {
			columns++
		}
		if unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control) {
			t.Errorf("%s: %U in line %q", what, r, line)
		}
	}
	if columns > 80 {
		t.Errorf("%s: %d columns in line %q", what, columns, line)
	}
	if strings.TrimRight(line, " ") != line {
		t.Errorf("%s: spaces at the end of line %q", what, line)
	}
}

func TestLongWordsAreBrokenNotLost(t *testing.T) {
	got := strings.Join(strings.Fields(text(t, attacked(t).run(t))), "")
	if !strings.Contains(got, strings.Repeat("a", 117)+"/END") {
		t.Error("a long word was cut")
	}
	if strings.Contains(text(t, attacked(t).run(t)), "[0m") {
		t.Error("an escape sequence left its letters behind")
	}
}

func TestStrandedSaysWhatIsInAndHowToEndItBeforeAnythingElse(t *testing.T) {
	out := text(t, stories()["stranded"].run(t))
	top, _, _ := strings.Cut(out, "\nclaim")
	for _, want := range []string{"STILL IN: payments is slow on proxy payments", "mishap revert 7f3a91c2", "--settle"} {
		if !strings.Contains(top, want) {
			t.Errorf("the top does not say %q:\n%s", want, top)
		}
	}
}

func TestTextOfAnyPrefixOfAJournalIsWritten(t *testing.T) {
	for name, s := range stories() {
		run := &mishap.Run{}
		for i, e := range s.entries {
			if err := run.Apply(e); err != nil {
				t.Fatal(err)
			}
			if e.Observation == nil && e.Effect == nil && text(t, run) == "" {
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
		"process-kill": {Keeper: mishap.KeeperProcess, Irreversible: true, WhenLost: "nothing: the processes are gone already"},
	}
}

func TestPlanSaysWhatWouldBeTouchedAndHowLongHarmCanLast(t *testing.T) {
	var out bytes.Buffer
	if err := report.PlanText(&out, checkoutPlan(), kinds()); err != nil {
		t.Fatal(err)
	}
	golden(t, "plan.txt", out.String())
}

// TestPlanSaysOfEachMetricWhoseUnitsItGoesByOrThatItDecidesNothing: totals have a margin too, which is of no use.
func TestPlanSaysOfEachMetricWhoseUnitsItGoesByOrThatItDecidesNothing(t *testing.T) {
	p := checkoutPlan()
	orders := mishap.CompareMetric{Name: "orders", Metric: mishap.SuccessRate, Source: "prometheus", Margin: mishap.Margin{Difference: 0.01}}
	bySlot := orders
	bySlot.Name, bySlot.Unit = "carts", "slot"
	p.Experiment.Compare = &mishap.Compare{Arms: mishap.Arms{From: mishap.ArmsFromRequests, Proxy: "edge"}, Metrics: []mishap.CompareMetric{orders, bySlot}}
	var out bytes.Buffer
	if err := report.PlanText(&out, p, kinds()); err != nil {
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
	p := checkoutPlan()
	p.Experiment.Source.Commit = ""
	p.Experiment.Faults[1].Injector, p.Experiment.SteadyState[1].When = "process-kill", []mishap.Phase{mishap.Before}
	p.Experiment.BlastRadius.Share, p.Experiment.Faults[0].Injector = 0, "unheard-of"
	p.Injections = p.Injections[1:]
	checks := []mishap.Check{{Safeguard: "self", Answer: mishap.Yes}, {Safeguard: "window", Answer: mishap.No, Reason: "it is Sunday"}}
	var out bytes.Buffer
	if err := report.Plan(&out, p, kinds(), checks, nil); err != nil {
		t.Fatal(err)
	}
	golden(t, "plan-checked.txt", out.String())
}

func TestStatusNamesWhatIsStillIn(t *testing.T) {
	all, names, runs := stories(), []string{}, []*mishap.Run{}
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		runs = append(runs, all[name].run(t))
	}
	var out bytes.Buffer
	if err := report.Status(&out, runs, began.Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	golden(t, "status.txt", out.String())
}

func TestListShowsNameInjectorsAndClaim(t *testing.T) {
	long := checkoutPlan().Experiment
	long.Name = strings.Repeat("checkout-survives-", 3) + "everything"
	var out bytes.Buffer
	if err := report.List(&out, []mishap.Experiment{checkoutPlan().Experiment, long}, func(mishap.Experiment) []string { return nil }); err != nil {
		t.Fatal(err)
	}
	golden(t, "list.txt", out.String())
}

func TestTheReportCountsWhatARestartOfTheProxyLeft(t *testing.T) {
	run := tell(checkoutPlan()).in().
		add(mishap.Entry{Effect: &mishap.Effect{Injection: one, InForce: mishap.Yes, Left: 3}}).
		add(mishap.Entry{Effect: &mishap.Effect{Injection: one, InForce: mishap.Yes, Left: 1}}).run(t)
	if got := text(t, run); !strings.Contains(got, "3 connections that a restart of the proxy left") {
		t.Errorf("the text has no word of what was left:\n%s", got)
	}
	if s := report.Summarize(run); s.Injections[0].Left != 3 {
		t.Errorf("the summary has %d", s.Injections[0].Left)
	}
}
