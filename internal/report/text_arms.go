package report

import (
	"fmt"
	"strings"

	"mishap"
	"mishap/internal/report/words"
)

// comparison is both arms beside each other, how they differ, and what that has
// proven.
func comparison(p *page, r *mishap.Run) {
	a := Compared(r)
	if a == nil {
		return
	}
	p.heading("control beside experiment, " + PhaseName(a.Phase))
	assignment(p, r)
	columns := p.fit(2, 0, 22, -9, -10, -9, -9)
	p.row(2, columns, "arm", "requests", "succeeded", "p50", "p99", "")
	for _, one := range []Arm{a.Control, a.Experiment} {
		p.row(2, columns, one.Name, fmt.Sprint(one.Requests), one.Succeeded(), words.Quick(one.P50), words.Quick(one.P99), "")
	}
	if a.Phase == mishap.InBaseline {
		p.line(2, "no fault was injected, so nothing was compared")
		return
	}
	if a.Intervals != nil {
		intervals(p, r, a)
		return
	}
	for _, m := range a.Metrics {
		p.line(2, "%s: %s", m.Name, words.OrElse(m.InWords(), "nothing is known"))
		if m.guarded() {
			p.line(4, "proof of harm %s, of no harm beyond %s: %s", words.Proof(m.Harm), m.Margin(), words.Proof(m.Clear))
		} else {
			p.line(4, "proof of harm %s; it has no margin, so that it is never cleared", words.Proof(m.Harm))
		}
	}
	p.blank()
	if len(a.Metrics) > 1 {
		p.field("proof", "of harm %s; of no harm %s", words.Proof(a.Harm), words.Proof(a.Clear))
	}
	decision := a.decision()
	if _, reason := mishap.Judge(r); strings.Contains(reason, a.reason) { // which the first line says
		decision = a.Result()
	}
	p.field("decision", "%s", decision)
	p.field("harmed", "%s", words.Joined(": ", a.Failures()+" extra failed requests", Uncounted(r, a)))
	if text := a.cautious(); text != "" {
		p.field("note", "%s", text)
	}
	for i, doubt := range a.Doubts {
		p.field(words.Once(i, "doubts"), "%s", doubt)
	}
}

// Uncounted says that the harm may be more than was counted: requests that
// began last were not over when it was decided.
func Uncounted(r *mishap.Run, a *Arms) string {
	var met int64
	for _, in := range r.Injections {
		if in.Fault != mishap.ArmsFault && in.Felt != nil && in.Felt.Requests {
			met += in.Felt.Connections
		}
	}
	if a.Outcome != mishap.HarmShown || met <= a.Experiment.Requests {
		return ""
	}
	return fmt.Sprintf("those counted when it was decided; the fault met %s until it was out", mishap.Plural(met, "request"))
}

// assignment says how the arms came about.
func assignment(p *page, r *mishap.Run) {
	c := r.Plan.Experiment.Compare
	switch {
	case c == nil:
	case c.Arms.From == mishap.ArmsFromRequests:
		p.line(2, "each arm is %s of what has a %s, at proxy %s", c.Arms.Share, c.Arms.Key, c.Arms.Proxy)
	case c.Arms.From == mishap.ArmsFromTargets:
		p.line(2, "control is as many of the matched targets as the fault hits")
	}
}

// prices is what the harm has cost, if the experiment says what harm costs.
func prices(p *page, r *mishap.Run) {
	if cost := mishap.EstimateCost(r); cost != nil {
		p.blank()
		p.field("cost", "%s", Costs(cost, *r.Plan.Experiment.Cost))
	}
}

// ByProofs reports whether the run was judged by proofs, as before there were
// intervals. It is then shown in the words of its time.
func ByProofs(r *mishap.Run) bool {
	if look := r.Compared(); look != nil {
		return look.Intervals == nil
	}
	c := r.Plan.Experiment.Compare
	return c != nil && c.AtLeast == 0
}

// intervals is what decided, and what is not claimed.
func intervals(p *page, r *mishap.Run, a *Arms) {
	i := a.Intervals
	if text := MetBy(i); text != "" {
		p.line(2, "%s", text)
	}
	if i.Rejected != nil && i.Rejected.Control+i.Rejected.Experiment > 0 {
		p.line(2, "answers of 4xx, which are no failures unless success says so: %s in the experiment, %s in control", mishap.Thousands(i.Rejected.Experiment), mishap.Thousands(i.Rejected.Control))
	}
	p.blank()
	columns := p.fit(2, 10, 20, 31, 11)
	p.row(2, columns, "what decides", "more, right at every look", "margin", "")
	for _, row := range ShownRows(i) {
		p.row(2, columns, row.Name(), row.Range(), row.Limit(), short16(row.Standing()))
		p.line(4, "%s", row.Counted())
		if s := row.Standing(); s != short16(s) {
			p.line(4, "%s", s)
		}
	}
	for n, text := range GuardLines(i, a.Outcome) {
		p.labelled(2, 20, words.Once(n, "since the baseline"), text)
	}
	p.blank()
	decision := a.decision()
	if _, reason := mishap.Judge(r); strings.Contains(reason, a.reason) { // which the first line says
		decision = a.Result()
	}
	p.field("decision", "%s", decision)
	p.field("harmed", "%s", words.Joined(": ", a.Failures()+" extra failed requests", Uncounted(r, a)))
	if i.Units != nil {
		p.field("units", "%s in the experiment, %s in control, as if all were equally active", mishap.Thousands(i.Units.Experiment), mishap.Thousands(i.Units.Control))
	}
	for n, text := range i.Waits {
		p.field(words.Once(n, "not cleared"), "%s", text)
	}
	for n, text := range i.Unclaimed {
		p.field(words.Once(n, "not claimed"), "%s", text)
	}
	for n, doubt := range a.Doubts {
		p.field(words.Once(n, "doubts"), "%s", doubt)
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

// GuardLines say how both arms did beside the baseline.
func GuardLines(i *mishap.Intervals, outcome mishap.ComparisonOutcome) []string {
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
	return fmt.Sprintf("confidence sequences over units, adjusted by their baseline; alpha %s; docs/verdicts.md", words.Short(c.Alpha))
}
