package comparison

import (
	"fmt"
	"math"
	"slices"
	"time"

	"mishap"
	"mishap/internal/analysis"
)

// intervals are what a look knows, for the journal.
func (c *Comparison) intervals(s *analysis.Status) *mishap.Intervals {
	i := &mishap.Intervals{In: mishap.Duration(s.In.Round(100 * time.Millisecond)), Earliest: c.options.Compare.AtLeast}
	for _, r := range s.Rows {
		i.Rows = append(i.Rows, rowOf(r))
	}
	for _, r := range s.Sooner {
		i.Sooner = append(i.Sooner, rowOf(r))
	}
	for _, r := range s.Beside {
		i.Beside = append(i.Beside, stopping(rowOf(r)))
	}
	for _, g := range s.Guards {
		i.Guards = append(i.Guards, guardOf(g))
	}
	if s.Left > 0 && !s.Never {
		i.Earliest = max(i.Earliest, mishap.Duration((s.In + s.Left).Round(time.Second)))
	}
	if s.Decision.Outcome == analysis.Continue {
		i.Waits = texts(s.Doubts)
	}
	c.counted(i, s)
	i.Unclaimed = c.unclaimed(i)
	return i
}

// counted adds how many units and requests are behind the rows.
func (c *Comparison) counted(i *mishap.Intervals, s *analysis.Status) {
	for _, r := range s.Rows {
		units := mishap.ArmCount{Control: whole(r.Control.Effective), Experiment: whole(r.Experiment.Effective)}
		if i.Units == nil || units.Experiment > i.Units.Experiment {
			i.Units = &units
		}
	}
	for _, b := range c.books {
		if b.counts.Met != nil {
			since, refused := b.counts.Met.Since, b.counts.Since.Refused // copies: looks are read later
			i.Met, i.Requests, i.Rejected = &since.Met, &since.Of, &refused
		}
		if since := b.counts.Since; since.Requests != (mishap.ArmCount{}) && i.Requests == nil {
			i.Requests, i.Rejected = &since.Requests, &since.Refused
		}
	}
	for _, m := range c.metrics {
		if m.book != nil && !c.injected.IsZero() {
			i.Baseline = mishap.Duration(c.injected.Sub(c.began).Round(time.Second))
		}
	}
}

// rowOf is a row as the journal has it.
func rowOf(r analysis.Row) mishap.Row {
	out := mishap.Row{
		Metric: r.Metric, What: what(r.Kind, r.Quantile), Of: string(r.Of), Since: r.Since, Control: armOf(r.Control), Experiment: armOf(r.Experiment),
		More: mishap.Interval{Low: tidy(r.Low), Estimate: tidy(r.Estimate), High: tidy(r.High)}, Same: tidy(r.Same), Margin: r.Margin,
		Ratio: r.Ratio, Down: r.Down, State: mishap.RowState(r.State), Shown: r.Shown, Clears: r.Clears, Newest: r.Newest,
	}
	if !r.Clears && r.State == analysis.Open && r.Of == "" {
		out.State = mishap.NoLimit
	}
	if r.Of == analysis.FirstRequests {
		out.Of = "users' first requests"
	}
	return out
}

// stopping is a row of all requests: if it can only stop a run, it is not asked to
// be within.
func stopping(r mishap.Row) mishap.Row {
	if r.State != mishap.Beyond && !r.Clears {
		r.State = mishap.NoLimit
	}
	return r
}

func armOf(c analysis.Counted) mishap.RowArm {
	arm := mishap.RowArm{Bad: whole(c.Bad), Of: whole(c.Requests), Units: whole(c.Units)}
	if c.Slow > 0 {
		arm.Slow = seconds(c.Slow.Seconds())
	}
	return arm
}

func guardOf(g analysis.Guard) mishap.Guard {
	of := "control"
	if g.Both {
		of = "both arms"
	}
	counted := what(g.Kind, g.Quantile)
	if g.Of != "" {
		counted += ", " + string(g.Of)
	}
	return mishap.Guard{
		Metric: g.Metric, What: counted, Of: of, Before: tidy(g.Before), Now: tidy(g.Now),
		More:   mishap.Interval{Low: tidy(g.Low), Estimate: tidy(g.Now - g.Before), High: tidy(g.High)},
		Margin: g.Margin, State: mishap.RowState(g.State), Rate: g.Kind == analysis.EventRate,
	}
}

// what is counted, in the words of reports.
func what(kind analysis.Kind, q float64) string {
	switch kind {
	case analysis.Latency:
		return "slower, " + analysis.QuantileName(q)
	case analysis.EventRate:
		return "events"
	}
	return "failed"
}

// tidy is a number with six digits: journals keep no more.
func tidy(v float64) float64 {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	unit := math.Pow(10, math.Floor(math.Log10(math.Abs(v)))-5)
	return math.Round(v/unit) * unit
}

func whole(v float64) int64 { return int64(math.Round(v)) }

func texts(all []analysis.Doubt) (words []string) {
	for _, d := range all {
		words = append(words, d.Text)
	}
	return words
}

// wholly is by how many units a share of broken units is divided: with n units
// seen and none of them broken, at most this many of n can be (β = 0.01).
const wholly = 4.6

// unclaimed is what a clear says nothing of.
func (c *Comparison) unclaimed(i *mishap.Intervals) []string {
	all := []string{"anything after " + i.In.String()}
	if why := c.options.Unexposed; why != "" {
		all = append(all, "the requests that met the fault apart from the others, of which it is not known which they are: "+why)
	}
	for _, m := range c.metrics {
		switch {
		case m.book == nil:
			all = append(all, m.Name+": only totals of the arms are known")
		case m.Metric == mishap.Latency:
			all = append(all, "answers beyond "+longestQuantile(m.CompareMetric))
		}
		if m.book != nil && !m.Guarded() {
			all = append(all, m.Name+", which has no margin: it could only stop the run")
		}
	}
	if !slices.ContainsFunc(c.metrics, func(m *metric) bool { return m.Metric == mishap.Latency }) {
		all = append(all, "how long answers take within patience, which no metric compares")
	}
	if s := c.options.Compare.Success; s == nil || s.Not == nil {
		all = append(all, "what answers with the status of a success say")
	}
	if c.options.Compare.Success.LooksAtBodies() {
		all = append(all, "what answers say after their first 64 KiB")
	}
	all = append(all, c.goesOn()...)
	if i.Units != nil && i.Units.Experiment >= 10 {
		all = append(all, fmt.Sprintf("a fault that breaks fewer than 1 of %.0f %s wholly", float64(i.Units.Experiment)/wholly, c.units()))
	}
	return all
}

// longestQuantile is the last that has to be cleared.
func longestQuantile(m mishap.CompareMetric) string {
	name := mishap.Quantile(0)
	for _, r := range m.CountedRows() {
		if r.Clears || !m.Guarded() {
			name = max(name, r.Quantile)
		}
	}
	return name.String()
}
