package report

import (
	"fmt"
	"html/template"
	"strings"

	"mishap"
)

// facts are what stands below the claim.
func (f *film) facts() []fact {
	r, e := f.run, f.run.Plan.Experiment
	all := []fact{{"Experiment", joined(", owned by ", e.Name, e.Owner)}, {"Run", r.ID}, {"Began", moment(r.PlannedAt)}}
	if !r.EndedAt.IsZero() {
		all = append(all, fact{"Took", took(between(r.PlannedAt, r.EndedAt))})
	}
	if a := compared(r); a != nil && a.intervals != nil {
		all = append(all, a.intervalFacts()...)
	} else if a != nil && a.phase == mishap.InHold {
		all = append(all, fact{"Extra failed requests", a.failures()}, fact{"Proof of harm", proof(a.harm)})
		if a.guarded {
			all = append(all, fact{"Proof of no harm", proof(a.clear)})
		}
	}
	if rec := r.Recovered; rec != nil && rec.In {
		all = append(all, fact{"Back to normal", strings.TrimPrefix(recovered(*rec), "recovered ")})
	}
	if cost := mishap.EstimateCost(r); cost != nil {
		all = append(all, fact{"Estimated cost", joined(" ", money(cost.Amount), cost.Currency)})
	}
	return all
}

// summary tells the run in a few sentences.
func (f *film) summary() []string {
	r := f.run
	all := []string{f.whatWasDone()}
	if a := compared(r); a != nil && a.intervals != nil {
		all = append(all, a.toldByIntervals()...)
	} else if a != nil && a.phase == mishap.InHold {
		all = append(all, a.told()...)
		if text := uncounted(r, a); text != "" {
			all = append(all, a.failures()+" extra failed requests: "+text+".")
		}
		all = append(all, a.unlimited())
	} else if w := f.worstProbe(); w != "" {
		all = append(all, w)
	}
	if cost := mishap.EstimateCost(r); cost != nil {
		all = append(all, "Cost: "+costs(cost, *r.Plan.Experiment.Cost)+".")
	}
	if rec := r.Recovered; rec != nil {
		all = append(all, "Everything was put back. "+sentence(strings.Replace(recovered(*rec), "recovered", "the system was back to normal", 1)))
	}
	var said []string
	for _, s := range all {
		if s != "" {
			said = append(said, s)
		}
	}
	return said
}

// whatWasDone names the faults and how long they were in.
func (f *film) whatWasDone() string {
	var parts []string
	for _, in := range f.run.Injections {
		if in.Fault == mishap.ArmsFault || in.InjectedAt.IsZero() {
			continue
		}
		text := fmt.Sprintf("%q (%s) was put into %s", in.Fault, in.Injector, in.Target.Label())
		if !in.SettledAt.IsZero() {
			text += " for " + took(between(in.InjectedAt, in.SettledAt))
		}
		parts = append(parts, text)
	}
	if parts == nil {
		return "No fault was put in."
	}
	text := sentence(strings.Join(parts, "; "))
	if c := f.run.Plan.Experiment.Compare; c != nil && c.Arms.From == mishap.ArmsFromRequests {
		text += fmt.Sprintf(" It met only %s of the traffic, the experiment; as much was left alone and watched beside it, as control.", c.Arms.Share)
	}
	return text
}

// title is the name of a metric where its numbers do not say what they are of.
func (m metric) title() string {
	if m.spec.Metric == mishap.SuccessRate && m.Name == string(mishap.SuccessRate) {
		return ""
	}
	return m.Name
}

// told is what the comparison has shown, in sentences.
func (a *arms) told() []string {
	var all []string
	if e, known := a.experiment.success(); known {
		if c, known := a.control.success(); known {
			all = append(all, fmt.Sprintf("Of the requests with the fault, %s succeeded; of those left alone, %s.", percent(e), percent(c)))
		}
	}
	for _, m := range a.metrics {
		if text := m.difference(); text != "" {
			all = append(all, joined(" ", sentence(joined(": ", m.title(), text)), sentence(m.cautious())))
		}
	}
	all = append(all, sentence(a.result()))
	return all
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
			text = joined(", and ", text, "could not be measured "+mishap.Plural(int64(w.Unknown), "time"))
		}
		if text != "" {
			parts = append(parts, fmt.Sprintf("%q %s", w.Spec.Name, text))
		}
	}
	if parts == nil {
		return ""
	}
	return joined(" ", "While the fault was in: "+strings.Join(parts, "; ")+".", f.firstUnmet())
}

// firstUnmet is what was seen where the run first deviated.
func (f *film) firstUnmet() string {
	for _, w := range f.run.Watches {
		if w.Deviation == "" || w.Deviation != f.run.Deviation {
			continue
		}
		for _, o := range f.observations {
			if o.Probe == w.Spec.Name && o.Phase == mishap.During && o.Result == mishap.Unmet {
				return sentence("it saw " + seen("; ", o.Observation))
			}
		}
	}
	return ""
}

// slowerBy is from where on answers that nobody set a limit for are told.
const slowerBy = 1.5

// unlimited tells of answers that became slower, where nothing says how slow
// they may be.
func (a *arms) unlimited() string {
	for _, m := range a.metrics {
		if m.spec.Metric == mishap.Latency {
			return ""
		}
	}
	if a.control.p50 == 0 || a.experiment.p50.Seconds() < slowerBy*a.control.p50.Seconds() {
		return ""
	}
	return fmt.Sprintf("Half of the requests with the fault took up to %s, and without it %s. This experiment sets no limit to that.", quick(a.experiment.p50), quick(a.control.p50))
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
	add("arms", "Both arms over time", "The shaded stretch is when the fault was in. Requests that were not over at the last look are not counted.", drawn(f.armCharts()))
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
	commit := orElse(s.Commit, "not from git")
	if s.Dirty {
		commit += ", with uncommitted changes"
	}
	all := []fact{{"File", s.File}, {"Commit", commit}}
	begun := trigger(r)
	if begun == "" {
		begun = "a person, by hand"
	}
	all = append(all, fact{"Repository", s.Repository}, fact{"Author of the commit", s.Author}, fact{"Digest of the experiment", s.Digest},
		fact{"Digest of the plan", r.Plan.Digest}, fact{"Planned", joined(" on ", moment(r.Plan.Created), r.Plan.Host)}, fact{"Begun by", begun},
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
	all := []fact{{"Blast radius", radius}, {"Faults in, at most", took(plan.Longest())}, {"Must recover within", e.Recovery.Within.String()}}
	if c := e.Compare; c != nil {
		all = append(all, fact{"Healthy runs that are stopped", "at most " + short(100*c.Alpha) + " of 100"}, fact{"Watched before the fault", c.Baseline.String()})
		if c.AtLeast > 0 {
			all = append(all, fact{"Cleared no sooner than", c.AtLeast.String() + " after the injection"})
		}
		if c.StopAfter.ExtraFailures > 0 {
			all = append(all, fact{"Stops after", short(c.StopAfter.ExtraFailures) + " extra failed requests"})
		}
		for _, m := range c.Metrics {
			all = append(all, fact{"Margin of " + m.Name, metric{spec: m}.margin()})
		}
	}
	return all
}
