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
	columns := []int{22, -9, -10, -9, -9}
	p.row(2, columns, "arm", "requests", "succeeded", "p50", "p99", "")
	for _, one := range []Arm{a.Control, a.Experiment} {
		p.row(2, columns, one.Name, fmt.Sprint(one.Requests), one.Succeeded(), words.Quick(one.P50), words.Quick(one.P99), "")
	}
	if a.Phase == mishap.InBaseline {
		p.line(2, "no fault went in, so nothing was compared")
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
