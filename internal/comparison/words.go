package comparison

import (
	"fmt"
	"strings"
	"time"

	"mishap"
	"mishap/internal/analysis"
)

// harmed says which metric shows the harm, and how much.
func (c *Comparison) harmed(s analysis.Status) string {
	most := 0
	for i := range s.Metrics {
		if s.Metrics[i].Harm > s.Metrics[most].Harm {
			most = i
		}
	}
	if most >= len(c.metrics) { // the guard of the traffic itself
		return "requests of the experiment arm stopped coming, while those of control went on"
	}
	text := c.beside(c.metrics[most], s.Metrics[most])
	if s.ExtraFailures >= 1 {
		text += fmt.Sprintf("; about %.0f extra failures were counted", s.ExtraFailures)
	}
	return text
}

// cleared says what was ruled out, and when.
func (c *Comparison) cleared(s analysis.Status, now time.Time) string {
	var all []string
	for i, m := range c.metrics {
		if m.Margin != (mishap.Margin{}) {
			all = append(all, fmt.Sprintf("%s (margin %s)", c.beside(m, s.Metrics[i]), marginText(m.CompareMetric)))
		}
	}
	took := mishap.Duration(now.Sub(c.injected).Round(100 * time.Millisecond))
	return fmt.Sprintf("no harm beyond the margin after %s: %s", took, strings.Join(all, "; "))
}

// beside says what both arms did, in the words of the metric.
func (c *Comparison) beside(m *metric, s analysis.MetricStatus) string {
	ctl, e := s.Control, s.Experiment
	switch m.Metric {
	case mishap.SuccessRate:
		text := fmt.Sprintf("%s of %d requests failed in the experiment, %s of %d in control", percent(failed(e)), e.Requests, percent(failed(ctl)), ctl.Requests)
		if m.Name != string(mishap.SuccessRate) { // which would read as a success
			text = m.Name + ": " + text
		}
		return text
	case mishap.EventRate:
		return fmt.Sprintf("%s: %d in the experiment, %d in control", m.Name, e.Events, ctl.Events)
	case mishap.Latency:
		return fmt.Sprintf("%s: half within %s in the experiment, %s in control; 99 %% within %s and %s", m.Name,
			quantile(e.Latency, 0.5), quantile(ctl.Latency, 0.5), quantile(e.Latency, 0.99), quantile(ctl.Latency, 0.99))
	}
	if e.Gauge == nil || ctl.Gauge == nil {
		return m.Name
	}
	return fmt.Sprintf("%s: %.4g in the experiment, %.4g in control at last", m.Name, *e.Gauge, *ctl.Gauge)
}

func failed(a analysis.Arm) float64 {
	if a.Requests == 0 {
		return 0
	}
	return float64(a.Requests-a.Successes) / float64(a.Requests)
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
