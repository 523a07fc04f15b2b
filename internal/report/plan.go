package report

import (
	"fmt"
	"strings"
	"time"

	"mishap"
	"mishap/internal/report/words"
)

// PlanSheet is what a run of the plan would touch, who ends its faults, how long harm
// could last, what the safeguards say of it now if they were asked, and what the traffic
// of the moment can show. Kinds are the injectors by name.
func PlanSheet(plan mishap.Plan, kinds map[string]mishap.InjectorKind, checks []mishap.Check, foretold []string) Sheet {
	e := plan.Experiment
	var s Sheet
	s.add("", SheetItem{Fields: []SheetField{
		{"claim", e.Claim},
		{"experiment", words.Joined(", owned by ", e.Name, e.Owner)},
		{"file", source(e.Source)},
		{"plan", "made " + words.Moment(plan.Created) + prefixed(" on ", plan.Host)},
		{"", plan.Digest},
	}})
	if e.Compare != nil {
		s.add("arms", SheetItem{Fields: planArms(plan, foretold)})
	}
	var faults, stops []SheetItem
	for _, f := range e.Faults {
		faults = append(faults, SheetItem{Name: f.Name + ": " + f.Injector, Fields: append(planFault(plan, f), planKind(f, kinds)...)})
	}
	for _, spec := range e.SteadyState {
		stops = append(stops, planProbe(spec, shortest(e)))
	}
	s.add("faults", faults...)
	s.add("worst-case time to stop", stops...)
	bounds := planRadius(plan)
	if e.Ready != nil {
		bounds = append(bounds, SheetField{"ready", fmt.Sprintf("waits up to %s for the steady state, before anything is injected", e.Ready.Within)})
	}
	bounds = append(bounds, SheetField{"at most", fmt.Sprintf("%s with faults in force, then up to %s to recover", words.Took(plan.Longest()), e.Recovery.Within)})
	s.add("", SheetItem{Fields: bounds})
	s.add("", SheetItem{Fields: planSafeguards(e, checks)})
	s.add("", SheetItem{Fields: notes(plan.Notes)})
	return s
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

// planFault says when one fault goes in and out, and names its targets.
func planFault(plan mishap.Plan, f mishap.Fault) []SheetField {
	in, out := plan.Start(f), fmt.Sprintf("reverted after at most %s", f.For)
	spread := plan.Spread(f.Name)
	switch {
	case f.For == 0:
		out = fmt.Sprintf("reverted as soon as it was seen once, and after at most %s", words.Took(f.Lasts()+spread))
	case spread > 0:
		out = fmt.Sprintf("reverted %s after the last of its targets is injected, and so after at most %s", f.For, words.Took(f.For.Std()+spread))
	}
	when := "injected at once"
	if f.After != nil {
		when = fmt.Sprintf("injected %s after %q", f.After.Wait, f.After.Fault)
	}
	var targets []string
	for _, i := range plan.Injections {
		if i.Fault != f.Name {
			continue
		}
		share := ""
		if i.Share > 0 {
			share = fmt.Sprintf("%s of its traffic", i.Share)
		}
		targets = append(targets, words.Joined(", ", i.Target.Label(), place(i.Target.Where), share))
		targets = append(targets, i.Notes...)
	}
	if n, matched := touched(plan, f.Name); n > 0 {
		targets = append(targets, fmt.Sprintf("%d of %d matched", n, matched))
	} else {
		targets = append(targets, "none")
	}
	all := []SheetField{{"when", fmt.Sprintf("%s, %s (from +%s to +%s)", when, out, words.Took(in), words.Took(in+spread+f.Lasts()))}}
	return append(all, labelled("targets", targets)...)
}

// touched is how many targets of a fault are taken, and how many its selection
// matched.
func touched(plan mishap.Plan, fault string) (n, matched int) {
	for _, in := range plan.Injections {
		if in.Fault == fault {
			n++
			matched = max(matched, in.Matched, n)
		}
	}
	return n, matched
}

// reached is how many whole targets a fault reaches, of which it may hit a part
// of the traffic alone.
func reached(plan mishap.Plan, fault string) (sum float64) {
	for _, in := range plan.Injections {
		switch {
		case in.Fault != fault:
		case in.Share > 0:
			sum += float64(in.Share)
		default:
			sum++
		}
	}
	return sum
}

// planKind says what injecting and reverting a fault needs, who ends it, and what can
// show it.
func planKind(f mishap.Fault, kinds map[string]mishap.InjectorKind) []SheetField {
	kind, ok := kinds[f.Injector]
	if !ok {
		return []SheetField{{"unknown", "there is no injector " + f.Injector + " in this program"}}
	}
	all := []SheetField{{"to inject", words.OrElse(strings.Join(kind.Do, ", "), "no permission is needed")}}
	revert := words.OrElse(strings.Join(kind.Undo, ", "), "no permission is needed")
	switch kind.Class {
	case mishap.Irreversible:
		revert = "THERE IS NO UNDO"
	case mishap.SelfRecovering:
		revert = "nothing is undone: it recovers by itself, and is looked at (" + revert + ")"
	case mishap.Expiring:
		revert += "; it ends by itself as well, at a time that is fixed when it is injected"
	}
	all = append(all, SheetField{"to revert", revert})
	if kind.RevertTakes > 0 {
		all = append(all, SheetField{"takes", fmt.Sprintf("up to %s until it is back; after that it is stranded", mishap.Duration(kind.RevertTakes))})
	}
	switch kind.Keeper {
	case mishap.KeeperProcess:
		all = append(all, SheetField{"keeper", "a process beside mishap, which reverts within 1s of its death and 5s of its freeze"})
	case mishap.KeeperProxy:
		all = append(all, SheetField{"keeper", "the proxy: the fault expires there when mishap does not renew it"})
	}
	if kind.WhenLost != "" {
		all = append(all, SheetField{"both lost", kind.WhenLost})
	}
	if kind.Traffic {
		return append(all, SheetField{"shows in", "traffic alone: if none passes while it is in force, the verdict is inconclusive"})
	}
	return append(all, SheetField{"shows in", "its target, which is asked all through whether it is in force"})
}

func place(where mishap.Place) string {
	if where.Local() {
		return ""
	}
	return "in " + words.Joined(" ", where.Host, where.Account, where.Region)
}

// shortest is the least time that a fault of the experiment is in for; 0 if it
// has none.
func shortest(e mishap.Experiment) (least time.Duration) {
	for i, f := range e.Faults {
		if i == 0 || f.Lasts() < least {
			least = f.Lasts()
		}
	}
	return least
}

// planProbe says how long harm that one probe can see lasts before the run
// reverts, counting from the moment that it can be seen; and whether it may have
// no answer in the time that a fault is in, which shows nothing.
func planProbe(spec mishap.ProbeSpec, shortest time.Duration) SheetItem {
	if !spec.In(mishap.During) {
		return SheetItem{Name: spec.Name + ": never; it is not asked while faults are in force"}
	}
	worst := spec.Every.Std()*time.Duration(spec.Allow.Count+1) + spec.Timeout.Std()
	what := words.Took(worst)
	if spec.OnDeviation == mishap.NoteDeviation {
		what = "does not stop, but notes it within " + what
	}
	why := []SheetField{{"", fmt.Sprintf("every %s × (%d allowed + 1) + timeout %s", spec.Every, spec.Allow.Count, spec.Timeout)}}
	if shortest > 0 && spec.Timeout.Std() >= shortest {
		why = append(why, SheetField{"", fmt.Sprintf("an answer may take longer than a fault is in force (%s); one that does makes the run inconclusive", words.Took(shortest))})
	}
	return SheetItem{Name: spec.Name + ": " + what, Fields: why}
}

// planRadius says how much of what is allowed the plan uses.
func planRadius(plan mishap.Plan) []SheetField {
	radius := plan.Experiment.BlastRadius
	texts := []string{fmt.Sprintf("%s of %d allowed", mishap.Plural(int64(hits(plan)), "target"), radius.Targets)}
	for _, f := range plan.Experiment.Faults {
		if n, matched := touched(plan, f.Name); matched > 0 && radius.Share != 0 {
			texts = append(texts, fmt.Sprintf("%s: %d of %d matched (%.3g%%), %s allowed", f.Name, n, matched, 100*reached(plan, f.Name)/float64(matched), radius.Share))
		}
	}
	return labelled("blast radius", texts)
}

// planSafeguards names the safeguards, and what they say now if they were asked.
func planSafeguards(e mishap.Experiment, checks []mishap.Check) []SheetField {
	if len(checks) > 0 {
		answers := map[string]mishap.Check{}
		for _, c := range checks {
			answers[c.Safeguard] = c
		}
		return safeguards(answers)
	}
	var names []string
	for _, s := range e.Safeguards {
		names = append(names, s.Safeguard)
	}
	return []SheetField{{"safeguards", words.OrElse(strings.Join(names, ", "), "only those that are always asked")}}
}
