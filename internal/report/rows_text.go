package report

import (
	"fmt"
	"strings"

	"mishap"
)

// byProofs reports whether the run was judged by proofs, as before there were
// intervals. It is then shown in the words of its time.
func byProofs(r *mishap.Run) bool {
	if look := r.Compared(); look != nil {
		return look.Intervals == nil
	}
	c := r.Plan.Experiment.Compare
	return c != nil && c.AtLeast == 0
}

// intervals is what decided, and what is not claimed.
func intervals(p *page, r *mishap.Run, a *arms) {
	i := a.intervals
	if text := metBy(i); text != "" {
		p.line(2, "%s", text)
	}
	if i.Rejected != nil && i.Rejected.Control+i.Rejected.Experiment > 0 {
		p.line(2, "answers of 4xx, which are no failures unless success says so: %s in the experiment, %s in control", mishap.Thousands(i.Rejected.Experiment), mishap.Thousands(i.Rejected.Control))
	}
	p.blank()
	columns := []int{20, 31, 11}
	p.row(2, columns, "what decides", "more, right at every look", "margin", "")
	for _, row := range shownRows(i) {
		p.row(2, columns, named(row), more(row)+" "+ends(row), limit(row), short16(standing(row)))
		p.line(4, "%s", counted(row))
		if s := standing(row); s != short16(s) {
			p.line(4, "%s", s)
		}
	}
	for n, text := range guardLines(i, a.outcome) {
		p.labelled(2, 20, once(n, "since the baseline"), text)
	}
	p.blank()
	decision := a.decision()
	if _, reason := mishap.Judge(r); strings.Contains(reason, a.reason) { // which the first line says
		decision = a.result()
	}
	p.field("decision", "%s", decision)
	p.field("harmed", "%s", joined(": ", a.failures()+" extra failed requests", uncounted(r, a)))
	if i.Units != nil {
		p.field("units", "%s in the experiment, %s in control, as if all were equally active", mishap.Thousands(i.Units.Experiment), mishap.Thousands(i.Units.Control))
	}
	for n, text := range i.Waits {
		p.field(once(n, "not cleared"), "%s", text)
	}
	for n, text := range i.Unclaimed {
		p.field(once(n, "not claimed"), "%s", text)
	}
	for n, doubt := range a.doubts {
		p.field(once(n, "doubts"), "%s", doubt)
	}
	p.field("method", "%s", method(r))
}

// short16 is a text that fits in its column, else that it is below.
func short16(text string) string {
	if len(text) > 14 {
		return "open"
	}
	return text
}

// guardLines say how both arms did beside the baseline.
func guardLines(i *mishap.Intervals, outcome mishap.ComparisonOutcome) []string {
	var order []string
	parts := map[string][]string{}
	for _, g := range i.Guards {
		if outcome == mishap.HarmShown && g.Of != "control" { // of which one is harmed
			continue
		}
		if parts[g.Of] == nil {
			order = append(order, g.Of)
		}
		parts[g.Of] = append(parts[g.Of], guarded(g))
	}
	var all []string
	for _, of := range order {
		all = append(all, of+": "+strings.Join(parts[of], "; "))
	}
	return all
}

// method says how a run was judged, for who knows statistics.
func method(r *mishap.Run) string {
	c := r.Plan.Experiment.Compare
	if c == nil {
		return ""
	}
	return fmt.Sprintf("confidence sequences over units, adjusted by their baseline; alpha %s; docs/verdicts.md", short(c.Alpha))
}

// properties are the rows as numbers, for who plots them.
func (a *arms) properties() []junitProperty {
	all := []junitProperty{{"extraFailedRequests", fmt.Sprintf("%.0f", a.extra)}, {"heldSeconds", seconds(a.intervals.In.Std())}}
	if i := a.intervals; i.Met != nil && i.Requests != nil {
		all = append(all, junitProperty{"requestsThatMetTheFault", fmt.Sprintf("%d of %d; of control %d of %d", i.Met.Experiment, i.Requests.Experiment, i.Met.Control, i.Requests.Control)})
	}
	for _, r := range shownRows(a.intervals) {
		all = append(all, junitProperty{clean(named(r)), fmt.Sprintf("%s %s, margin %s: %s", more(r), ends(r), limit(r), standing(r))})
	}
	return all
}

// intervalFacts are what stands below the claim on the page.
func (a *arms) intervalFacts() []fact {
	i := a.intervals
	all := []fact{{"The fault was in for", took(i.In.Std())}}
	if i.Units != nil {
		all = append(all, fact{"Users behind it", fmt.Sprintf("%s in the experiment, %s in control", mishap.Thousands(i.Units.Experiment), mishap.Thousands(i.Units.Control))})
	}
	if i.Requests != nil {
		text := mishap.Thousands(i.Requests.Experiment) + " with the fault in reach"
		if i.Met != nil {
			text = fmt.Sprintf("%s of %s, of %s", mishap.Thousands(i.Met.Experiment), mishap.Thousands(i.Requests.Experiment), mishap.Plural(metUnits(i), "unit"))
		}
		all = append(all, fact{"Requests that met the fault", text})
	}
	return append(all, fact{"Extra failed requests", a.failures()})
}

// toldByIntervals is what the comparison has shown, in sentences.
func (a *arms) toldByIntervals() []string {
	var all []string
	for _, r := range allRows(a.intervals) {
		all = append(all, sentence(spoken(r)+": "+standing(r)))
	}
	if text := metBy(a.intervals); text != "" {
		all = append(all, sentence(text))
	}
	for _, text := range guardLines(a.intervals, a.outcome) {
		all = append(all, sentence("since the baseline, "+text))
	}
	for _, text := range a.intervals.Waits {
		all = append(all, sentence("not cleared: "+text))
	}
	for _, text := range a.intervals.Unclaimed {
		all = append(all, sentence("not claimed: "+text))
	}
	return append(all, sentence(a.result()))
}
