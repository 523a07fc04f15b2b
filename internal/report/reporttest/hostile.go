package reporttest

import (
	"strings"
	"testing"

	"mishap"
)

// Hostile is what a system under test may answer.
const Hostile = "\x1b[31mred\x1b[0m \x1b]0;title\a\u009b2J\u202eback\r\n\tnext \xff\ufffe " +
	"wörter 漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字 ]]> <b>&amp; " +
	"https://example.com/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/END"

// hostileName is a probe's: reasons quote it, and so make escapes visible.
func hostileName() string { return Hostile[strings.Index(Hostile, "wörter"):] }

// Attacked is a run in which every string that comes from outside is hostile.
func Attacked(t *testing.T) *Story {
	t.Helper()
	p := CheckoutPlan()
	p.Host, p.Notes = Hostile, []string{Hostile}
	p.Experiment.Name, p.Experiment.Claim, p.Experiment.Owner, p.Experiment.Group = Hostile, Hostile, Hostile, Hostile
	p.Experiment.Source.File, p.Experiment.SteadyState[0].Name = Hostile, hostileName()
	p.Experiment.Faults[0].Name = Hostile
	in := SlowPayments()
	in.Fault, in.Target.Name, in.Target.ID, in.Notes = Hostile, Hostile, Hostile, []string{Hostile}
	in.Target.Where = mishap.Place{Host: Hostile}
	p.Injections[0] = in
	return Tell(p).State(mishap.Checking, "", "").Check(Hostile, mishap.No, Hostile).Check(Hostile+"2", mishap.Yes, "").
		Observe(1, mishap.Before, hostileName(), mishap.Met, Hostile, Hostile).
		Prepare(in).State(mishap.Injecting, "", "").Injection(One, mishap.InjectionInjecting, "").Injection(One, mishap.InjectionInjected, "").
		State(mishap.Holding, "", "").Observe(3, mishap.During, hostileName(), mishap.Unmet, Hostile, Hostile).
		Add(mishap.Entry{Effect: &mishap.Effect{Injection: One, InForce: mishap.Unknown, Detail: Hostile}}).
		Add(mishap.Entry{State: &mishap.StateChange{To: mishap.Reverting, Cause: mishap.CauseAbort, Reason: Hostile, By: Hostile}}).
		Injection(One, mishap.InjectionReverting, "").Injection(One, mishap.InjectionStranded, Hostile).
		Add(mishap.Entry{Note: &mishap.Note{Text: Hostile}}).State(mishap.Stranded, "", Hostile)
}

// EveryStory are all runs of the tests, with arms and without.
func EveryStory(t *testing.T) map[string]*Story {
	all := Stories()
	for name, s := range Scenes() {
		all[name] = s.Journal(t)
	}
	all["attacked"] = Attacked(t)
	return all
}
