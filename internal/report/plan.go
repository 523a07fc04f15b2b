package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"mishap"
	"mishap/internal/report/words"
)

// PlanText writes what a run of the plan would touch, who ends its faults, and
// how long harm could last. Kinds are the injectors by name.
func PlanText(w io.Writer, p mishap.Plan, kinds map[string]mishap.InjectorKind) error {
	return Plan(w, p, kinds, nil, nil)
}

// Plan is [PlanText] with what the safeguards say of the plan now, and what the
// traffic of the moment can show.
func Plan(w io.Writer, plan mishap.Plan, kinds map[string]mishap.InjectorKind, checks []mishap.Check, foretold []string) error {
	p := newPage(w)
	e := plan.Experiment
	p.field("claim", "%s", e.Claim)
	p.field("experiment", "%s", words.Joined(", owned by ", e.Name, e.Owner))
	p.field("file", "%s", source(e.Source))
	p.field("plan", "made %s%s", words.Moment(plan.Created), prefixed(" on ", plan.Host))
	p.field("", "%s", plan.Digest)
	planArms(p, plan, foretold)
	p.heading("faults")
	for _, f := range e.Faults {
		planFault(p, plan, f)
		planKind(p, f, kinds)
	}
	p.heading("worst-case time to stop")
	for _, spec := range e.SteadyState {
		planProbe(p, spec, shortest(e))
	}
	p.blank()
	planRadius(p, plan)
	if e.Ready != nil {
		p.field("ready", "waits up to %s for the steady state, before anything is injected", e.Ready.Within)
	}
	p.field("at most", "%s with faults in force, then up to %s to recover", words.Took(plan.Longest()), e.Recovery.Within)
	planSafeguards(p, e, checks)
	notes(p, plan.Notes)
	return p.to(w)
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

// planFault writes when one fault goes in and out, and its targets.
func planFault(p *page, plan mishap.Plan, f mishap.Fault) {
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
	p.line(2, "%s: %s", f.Name, f.Injector)
	p.labelled(4, 12, "when", fmt.Sprintf("%s, %s (from +%s to +%s)", when, out, words.Took(in), words.Took(in+spread+f.Lasts())))
	label := "targets"
	for _, i := range plan.Injections {
		if i.Fault != f.Name {
			continue
		}
		share := ""
		if i.Share > 0 {
			share = fmt.Sprintf("%s of its traffic", i.Share)
		}
		p.labelled(4, 12, label, words.Joined(", ", i.Target.Label(), place(i.Target.Where), share))
		for _, note := range i.Notes {
			p.labelled(4, 12, "", "  "+note)
		}
		label = ""
	}
	if n, matched := touched(plan, f.Name); n > 0 {
		p.labelled(4, 12, "", fmt.Sprintf("%d of %d matched", n, matched))
	} else {
		p.labelled(4, 12, label, "none")
	}
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

// planKind writes what injecting and reverting a fault needs, who ends it, and
// what can show it.
func planKind(p *page, f mishap.Fault, kinds map[string]mishap.InjectorKind) {
	kind, ok := kinds[f.Injector]
	if !ok {
		p.labelled(4, 12, "unknown", "there is no injector "+f.Injector+" in this program")
		return
	}
	p.labelled(4, 12, "to inject", words.OrElse(strings.Join(kind.Do, ", "), "no permission is needed"))
	revert := words.OrElse(strings.Join(kind.Undo, ", "), "no permission is needed")
	switch kind.Class {
	case mishap.Irreversible:
		revert = "THERE IS NO UNDO"
	case mishap.SelfRecovering:
		revert = "nothing is undone: it recovers by itself, and is looked at (" + revert + ")"
	case mishap.Expiring:
		revert += "; it ends by itself as well, at a time that is fixed when it is injected"
	}
	p.labelled(4, 12, "to revert", revert)
	if kind.RevertTakes > 0 {
		p.labelled(4, 12, "takes", fmt.Sprintf("up to %s until it is back; after that it is stranded", mishap.Duration(kind.RevertTakes)))
	}
	switch kind.Keeper {
	case mishap.KeeperProcess:
		p.labelled(4, 12, "keeper", "a process beside mishap, which reverts within 1s of its death and 5s of its freeze")
	case mishap.KeeperProxy:
		p.labelled(4, 12, "keeper", "the proxy: the fault expires there when mishap does not renew it")
	}
	if kind.WhenLost != "" {
		p.labelled(4, 12, "both lost", kind.WhenLost)
	}
	if kind.Traffic {
		p.labelled(4, 12, "shows in", "traffic alone: if none passes while it is in force, the verdict is inconclusive")
	} else {
		p.labelled(4, 12, "shows in", "its target, which is asked all through whether it is in force")
	}
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
func planProbe(p *page, spec mishap.ProbeSpec, shortest time.Duration) {
	if !spec.In(mishap.During) {
		p.line(2, "%s: never; it is not asked while faults are in force", spec.Name)
		return
	}
	worst := spec.Every.Std()*time.Duration(spec.Allow.Count+1) + spec.Timeout.Std()
	what := words.Took(worst)
	if spec.OnDeviation == mishap.NoteDeviation {
		what = "does not stop, but notes it within " + what
	}
	p.line(2, "%s: %s", spec.Name, what)
	p.line(4, "every %s × (%d allowed + 1) + timeout %s", spec.Every, spec.Allow.Count, spec.Timeout)
	if shortest > 0 && spec.Timeout.Std() >= shortest {
		p.line(4, "an answer may take longer than a fault is in force (%s); one that does makes the run inconclusive", words.Took(shortest))
	}
}

// planRadius says how much of what is allowed the plan uses.
func planRadius(p *page, plan mishap.Plan) {
	radius := plan.Experiment.BlastRadius
	p.field("blast radius", "%s of %d allowed", mishap.Plural(int64(hits(plan)), "target"), radius.Targets)
	if radius.Share == 0 {
		return
	}
	for _, f := range plan.Experiment.Faults {
		if n, matched := touched(plan, f.Name); matched > 0 {
			p.field("", "%s: %d of %d matched (%.3g%%), %s allowed", f.Name, n, matched, 100*reached(plan, f.Name)/float64(matched), radius.Share)
		}
	}
}

// planSafeguards names the safeguards, and what they say now if they were
// asked.
func planSafeguards(p *page, e mishap.Experiment, checks []mishap.Check) {
	if len(checks) > 0 {
		answers := &mishap.Run{Checks: map[string]mishap.Check{}}
		for _, c := range checks {
			answers.Checks[c.Safeguard] = c
		}
		safeguards(p, answers)
		return
	}
	var names []string
	for _, s := range e.Safeguards {
		names = append(names, s.Safeguard)
	}
	p.field("safeguards", "%s", words.OrElse(strings.Join(names, ", "), "only those that are always asked"))
}
