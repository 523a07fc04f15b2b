package html

import (
	"fmt"
	"html/template"
	"strings"

	"mishap"
	"mishap/internal/report"
	"mishap/internal/report/words"
)

// facts are what stands below the claim.
func (f *film) facts() []fact {
	r := f.run
	var all []fact
	if a := report.Compared(r); a != nil && a.Intervals != nil {
		all = append(all, intervalFacts(a)...)
	} else if a != nil && a.Phase == mishap.InHold {
		all = append(all, fact{"Extra failed requests", a.Failures()}, fact{"Proof of harm", words.Proof(a.Harm)})
		if a.Guarded {
			all = append(all, fact{"Proof of no harm", words.Proof(a.Clear)})
		}
	}
	if r.Plan.Experiment.Compare == nil {
		for _, e := range r.Plan.Experiment.Faults {
			if in, _, n := report.Span(r, e.Name); n > 0 && !in.IsZero() {
				all = append(all, fact{"Affected by", report.Affected(r, e.Name)})
			}
		}
	}
	if rec := r.Recovered; rec != nil && rec.In {
		all = append(all, fact{"Back to normal, after the revert", strings.TrimPrefix(report.Recovered(*rec), "recovered ")})
	}
	if cost := mishap.EstimateCost(r); cost != nil {
		all = append(all, fact{"Estimated cost", words.Joined(" ", words.Money(cost.Amount), cost.Currency)})
	}
	return all
}

// identity says which run this is, and who began it.
func identity(r *mishap.Run) string {
	e := r.Plan.Experiment
	text := words.Joined(", owned by ", e.Name, e.Owner) + " · run " + r.ID + " · began " + words.Moment(r.PlannedAt)
	if !r.EndedAt.IsZero() {
		text += ", took " + words.Took(words.Between(r.PlannedAt, r.EndedAt))
	}
	return text + " · begun by " + words.OrElse(report.BegunBy(r), "a person, by hand")
}

// summary tells the run in a few sentences.
func (f *film) summary() []string {
	r := f.run
	all := []string{f.whatWasDone()}
	if a := report.Compared(r); a != nil && a.Intervals != nil {
		all = append(all, toldByIntervals(a)...)
	} else if a != nil && a.Phase == mishap.InHold {
		all = append(all, told(a)...)
		if text := report.Uncounted(r, a); text != "" {
			all = append(all, a.Failures()+" extra failed requests: "+text+".")
		}
		all = append(all, unlimited(a))
	} else if w := f.worstProbe(); w != "" {
		all = append(all, w)
	}
	if cost := mishap.EstimateCost(r); cost != nil {
		all = append(all, "Cost: "+report.Costs(cost, *r.Plan.Experiment.Cost)+".")
	}
	if rec := r.Recovered; rec != nil {
		all = append(all, "Everything was reverted. "+words.Sentence(strings.Replace(report.Recovered(*rec), "recovered", "the system was back to normal", 1)))
	}
	var said []string
	for _, s := range all {
		if s != "" {
			said = append(said, s)
		}
	}
	return said
}

// whatWasDone names the faults and how long they were in force.
func (f *film) whatWasDone() string {
	var parts []string
	for _, in := range f.run.Injections {
		if in.Fault == mishap.ArmsFault || in.InjectedAt.IsZero() {
			continue
		}
		text := fmt.Sprintf("%q (%s) was injected into %s", in.Fault, in.Injector, in.Target.Label())
		if !in.SettledAt.IsZero() {
			text += " for " + words.Took(words.Between(in.InjectedAt, in.SettledAt))
		}
		parts = append(parts, text)
	}
	if parts == nil {
		return "No fault was injected."
	}
	text := words.Sentence(strings.Join(parts, "; "))
	if c := f.run.Plan.Experiment.Compare; c != nil && c.Arms.From == mishap.ArmsFromRequests {
		text += fmt.Sprintf(" It met only %s of the traffic, the experiment; as much was left alone and watched beside it, as control.", c.Arms.Share)
	}
	return text
}

// worstProbe is what the probes say where there are no arms.
func (f *film) worstProbe() string {
	var parts []string
	for _, w := range f.run.Watches {
		text := ""
		if known := w.Met + w.Unmet; known > 0 {
			text = fmt.Sprintf("was met %d of %s", w.Met, mishap.Plural(int64(known), "time"))
		}
		if w.Unknown > 0 {
			text = words.Joined(", and ", text, "could not be measured "+mishap.Plural(int64(w.Unknown), "time"))
		}
		if text != "" {
			parts = append(parts, fmt.Sprintf("%q %s", w.Spec.Name, text))
		}
	}
	if parts == nil {
		return ""
	}
	return words.Joined(" ", "While the fault was in force: "+strings.Join(parts, "; ")+".", f.firstUnmet())
}

// firstUnmet is what was seen where the run first deviated.
func (f *film) firstUnmet() string {
	for _, w := range f.run.Watches {
		if w.Deviation == "" || w.Deviation != f.run.Deviation {
			continue
		}
		for _, o := range f.observations {
			if o.Probe == w.Spec.Name && o.Phase == mishap.During && o.Result == mishap.Unmet {
				return words.Sentence("it saw " + report.Seen("; ", o.Observation))
			}
		}
	}
	return ""
}

// sections are the pictures, in the order of a story. What has no data is left
// out.
func (f *film) sections() []section {
	var all []section
	add := func(id, title, intro string, pictures []template.HTML) {
		if pictures != nil {
			all = append(all, section{id, title, intro, pictures})
		}
	}
	add("arms", "Both arms over time", "The shaded stretch is when the fault was in force. Requests that were not over at the last look are not counted.", drawn(f.armCharts()))
	add("intervals", "How the intervals closed in", "", drawn(f.rowCharts()))
	add("difference", "How much worse it was", "", drawn(f.differenceCharts()))
	add("proof", "Evidence", "", drawn(f.proofChart()))
	add("latency", "How fast the answers were", "", drawn(f.latencyCharts()))
	add("probes", "The steady state", "", drawn(f.probesChart()))
	add("recovery", "Recovery", "", drawn(f.recoveryChart()))
	add("delay", "What the fault delivered", "", drawn(f.delayCharts()))
	return all
}

// drawn are the pictures as HTML.
func drawn[P interface{ HTML() template.HTML }](pictures []P) []template.HTML {
	var all []template.HTML
	for _, p := range pictures {
		all = append(all, p.HTML())
	}
	return all
}

// provenance says exactly what was run, and who began it.
func provenance(r *mishap.Run) []fact {
	s := r.Plan.Experiment.Source
	commit := words.OrElse(s.Commit, "not from git")
	if s.Dirty {
		commit += ", with uncommitted changes"
	}
	all := []fact{{"File", s.File}, {"Commit", commit}}
	begun := report.BegunBy(r)
	if begun == "" {
		begun = "a person, by hand"
	}
	all = append(all, fact{"Repository", s.Repository}, fact{"Author of the commit", s.Author}, fact{"Digest of the experiment", s.Digest},
		fact{"Digest of the plan", r.Plan.Digest}, fact{"Planned", words.Joined(" on ", words.Moment(r.Plan.Created), r.Plan.Host)}, fact{"Begun by", begun},
		fact{"File format", fmt.Sprintf("version %d", r.Plan.Experiment.Version)})
	var some []fact
	for _, one := range all {
		if one.Text != "" {
			some = append(some, one)
		}
	}
	return some
}

// limits are what the run had to stay inside of.
func limits(plan mishap.Plan) []fact {
	e := plan.Experiment
	radius := mishap.Plural(int64(e.BlastRadius.Targets), "target")
	if e.BlastRadius.Share > 0 {
		radius += ", " + e.BlastRadius.Share.String() + " of what matches"
	}
	all := []fact{{"Blast radius", radius}, {"Faults in force, at most", words.Took(plan.Longest())}, {"Must recover within", e.Recovery.Within.String()}}
	if c := e.Compare; c != nil {
		all = append(all, fact{"Healthy runs that are stopped", "at most " + words.Short(100*c.Alpha) + " of 100"}, fact{"Watched before the fault", c.Baseline.String()})
		if c.AtLeast > 0 {
			all = append(all, fact{"Cleared no sooner than", c.AtLeast.String() + " after the injection"})
		}
		if c.StopAfter.ExtraFailures > 0 {
			all = append(all, fact{"Stops after", words.Short(c.StopAfter.ExtraFailures) + " extra failed requests"})
		}
		for _, m := range c.Metrics {
			all = append(all, fact{"Margin of " + m.Name, report.Metric{Spec: m}.Margin()})
		}
	}
	return all
}
