package comparison

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mishap"
	"mishap/internal/analysis"
)

// harmed says what shows the harm, and how much.
func harmed(s *analysis.Status) string {
	text := s.Decision.Reason
	if s.Extra >= 1 {
		text += fmt.Sprintf("; about %.0f extra failures were counted", s.Extra)
	}
	return text
}

// held says for how long what was cleared, and of whom.
func (c *Comparison) held(i *mishap.Intervals) string {
	text := fmt.Sprintf("for %s: no harm beyond the margins", mishap.Duration(i.In.Std().Round(time.Second)))
	if n := c.seen(i); n > 0 {
		text += fmt.Sprintf(" to the %s %s of the experiment", mishap.Thousands(n), c.units())
	}
	what := []string{"all attempts"}
	if i.Met != nil && i.Requests != nil {
		what = append(what, fmt.Sprintf("%s of %s requests met the fault, %s of control's would have", mishap.Thousands(i.Met.Experiment), mishap.Thousands(i.Requests.Experiment), mishap.Thousands(i.Met.Control)))
	}
	text += " (" + strings.Join(what, "; ") + ")"
	if late := c.options.Incident.Late(i.In.Std()); late != "" {
		text += "; but " + late + ", and this was shorter"
	}
	return text
}

// seen is how many units of the experiment are behind the rows.
func (c *Comparison) seen(i *mishap.Intervals) (most int64) {
	for _, r := range i.Rows {
		most = max(most, r.Experiment.Units)
	}
	return most
}

// units is what is counted, by name.
func (c *Comparison) units() string {
	arms := c.options.Compare.Arms
	switch {
	case arms.From == mishap.ArmsFromTargets:
		return "targets"
	case arms.Key == "request", arms.Key == "connection":
		return arms.Key + "s"
	case !slices.ContainsFunc(c.metrics, func(m *metric) bool { return m.book != nil && m.Unit == "" }):
		return "slots of users"
	}
	return "users"
}

// marginText is a margin as the file writes it.
func marginText(m mishap.CompareMetric) string {
	switch {
	case m.Margin.Ratio > 1:
		return fmt.Sprintf("%.4g %%", 100*(m.Margin.Ratio-1))
	case m.Margin.Ratio > 0:
		return fmt.Sprintf("%.4g %%", 100*(1-m.Margin.Ratio))
	case m.Metric == mishap.Gauge:
		return fmt.Sprintf("%.4g", m.Margin.Difference)
	}
	return fmt.Sprintf("%.4g pp", 100*m.Margin.Difference)
}
