package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"mishap"
)

func sortedChecks(r *mishap.Run) []string { return slices.Sorted(maps.Keys(r.Checks)) }

// Plan writes what a run would touch. Kinds are the injectors by name; checks
// are what the safeguards say of the plan now.
func Plan(w io.Writer, plan mishap.Plan, kinds map[string]mishap.InjectorKind, checks []mishap.Check) error {
	p := &page{}
	e := plan.Experiment
	p.field("claim", "%s", e.Claim)
	p.field("experiment", "%s, %s", e.Name, source(e.Source))
	p.field("plan", "%s, made %s", plan.Digest, plan.Created.UTC().Format("2006-01-02 15:04:05 MST"))
	p.blank()
	for _, f := range e.Faults {
		planFault(p, plan, f, kinds[f.Injector])
	}
	p.blank()
	planStop(p, plan, kinds)
	p.field("blast radius", "%s touched, %d allowed%s", plural(len(plan.Injections), "target"), e.BlastRadius.Targets, shareOf(e.BlastRadius))
	p.field("at most", "%s with faults in, then up to %s to recover", took(e.Longest()), e.Recovery.Within)
	for i, c := range checks {
		if c.Answer != mishap.Yes {
			p.field(once(i, "safeguards"), "%s would say %s: %s", c.Safeguard, c.Answer, c.Reason)
		}
	}
	if !slices.ContainsFunc(checks, func(c mishap.Check) bool { return c.Answer != mishap.Yes }) {
		p.field("safeguards", "all %d would say yes now", len(checks))
	}
	for i, note := range plan.Notes {
		p.field(once(i, "notes"), "%s", note)
	}
	return p.to(w)
}

func shareOf(b mishap.BlastRadius) string {
	if b.Share == 0 {
		return ""
	}
	return fmt.Sprintf(", and %s of those that match", b.Share)
}

// planFault writes one fault, its targets, and who ends it.
func planFault(p *page, plan mishap.Plan, f mishap.Fault, kind mishap.InjectorKind) {
	when := "at once"
	if f.After != nil {
		when = fmt.Sprintf("%s after %s is in", f.After.Wait, f.After.Fault)
	}
	p.line(4, "%s: %s, %s, for at most %s", f.Name, f.Injector, when, f.For)
	for _, in := range plan.Injections {
		if in.Fault != f.Name {
			continue
		}
		p.line(6, "  on %s, 1 of %d matched%s", in.Target.Label(), in.Matched, placeOf(in.Target.Where))
		for _, note := range in.Notes {
			p.line(6, "    %s", note)
		}
	}
	p.line(4, "  to inject:  %s", strings.Join(kind.Do, ", "))
	if len(kind.Undo) > 0 {
		p.line(4, "  to revert:  %s", strings.Join(kind.Undo, ", "))
	}
	switch kind.Keeper {
	case mishap.KeeperProcess:
		p.line(4, "  ended by:   a keeper process, within 1s of mishap's death and 5s of its freeze")
	case mishap.KeeperProxy:
		p.line(4, "  ended by:   the proxy, when mishap does not renew it")
	}
	p.line(4, "  both lost:  %s", kind.WhenLost)
	if kind.Irreversible {
		p.line(4, "  THERE IS NO UNDO")
	}
}

func placeOf(where mishap.Place) string {
	if where.Local() {
		return ""
	}
	return ", in " + strings.Join(strings.Fields(strings.Join([]string{where.Host, where.Account, where.Region}, " ")), " ")
}

// planStop says how long harm can last before the run stops.
func planStop(p *page, plan mishap.Plan, kinds map[string]mishap.InjectorKind) {
	for i, spec := range plan.Experiment.SteadyState {
		if !spec.In(mishap.During) {
			continue
		}
		worst := time.Duration(spec.Allow.Count+1)*spec.Every.Std() + spec.Timeout.Std()
		what := "stops within " + took(worst)
		if spec.OnDeviation == mishap.NoteDeviation {
			what = "notes it within " + took(worst)
		}
		p.field(once(i, "harm seen by"), "%s: %s", spec.Name, what)
		p.field("", "  every %s + timeout %s, allowed %s", spec.Every, spec.Timeout, spec.Allow)
	}
	for _, f := range plan.Experiment.Faults {
		if kinds[f.Injector].Traffic {
			p.field("traffic", "%s shows only in traffic: without any, the verdict is inconclusive", f.Name)
		}
	}
}

// Status writes one line per run, newest first as given, and below it what is
// or may still be in.
func Status(w io.Writer, runs []*mishap.Run, now time.Time) error {
	if len(runs) == 0 {
		_, err := fmt.Fprintln(w, "no runs yet")
		return err
	}
	p := &page{}
	p.WriteString(fmt.Sprintf("%-13s%-30s%-13s%-14s%s\n", "RUN", "EXPERIMENT", "STATE", "VERDICT", "AGO"))
	for _, r := range runs {
		verdict, _ := mishap.Judge(r)
		name := []rune(clean(r.Plan.Experiment.Name))
		if len(name) > 29 {
			name = append(name[:28], '…')
		}
		p.WriteString(strings.TrimRight(fmt.Sprintf("%-13s%-30s%-13s%-14s%s", r.ID, string(name), r.State, verdict, ago(now.Sub(r.PlannedAt))), " ") + "\n")
		for _, in := range r.Outstanding() {
			p.line(4, "    in: %s on %s, %s", in.Fault, in.Target.Label(), in.State)
		}
	}
	return p.to(w)
}

// ago is a time in the past, roughly.
func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// List writes one experiment per paragraph.
func List(w io.Writer, experiments []mishap.Experiment) error {
	p := &page{}
	for _, e := range experiments {
		p.line(2, "%s", e.Name)
		p.line(2, "  %s", e.Claim)
		var used []string
		for _, f := range e.Faults {
			used = append(used, f.Injector)
		}
		p.line(2, "  %s, at most %s; %s", strings.Join(used, ", "), took(e.Longest()), e.Source.File)
	}
	return p.to(w)
}
