package experiments

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"mishap"
)

var methodName = regexp.MustCompile(`^[A-Z]{1,20}$`)

// checkMetrics reports metrics that cannot be compared.
func (c *checker) checkMetrics(n *node) {
	metrics := n.get("metrics")
	if metrics == nil || metrics.value.shape != list {
		return
	}
	items := metrics.value.items
	if len(items) == 0 || len(items) > mostItems {
		c.complain(n, "metrics", fmt.Sprintf("a comparison needs 1 to %d metrics", mostItems), "")
		return
	}
	names, cleared, whole := map[string]bool{}, false, true
	for i, item := range items {
		if item.shape != mapping {
			whole = false
			continue
		}
		m := c.form.Compare.Metrics[i]
		c.checkMetric(item, &m)
		out := m.metric()
		if names[out.Name] {
			c.complain(item, "name", fmt.Sprintf("there are two metrics named %q", shorten(out.Name)), "give each a name of its own")
		}
		names[out.Name] = true
		cleared, whole = cleared || out.Margin != mishap.Margin{}, whole && !item.hasBroken()
	}
	if !cleared && whole {
		c.complain(n, "metrics", "no metric has a margin, so that the run could never hold", "say how much harm still counts as none, such as margin: 0.5pp")
	}
	if c.form.Compare.StopAfter.ExtraFailures < 0 {
		c.complain(n, "stopAfter.extraFailures", "extraFailures must not be negative", "")
	}
	rates := slices.ContainsFunc(c.form.Compare.Metrics, func(m compareMetricForm) bool { return m.Metric == mishap.SuccessRate })
	if c.form.Compare.StopAfter.ExtraFailures > 0 && !rates && whole {
		c.complain(n, "stopAfter.extraFailures", "only a success rate has failures to count", "add a metric success-rate")
	}
}

func (c *checker) checkMetric(n *node, m *compareMetricForm) {
	kinds := []string{string(mishap.SuccessRate), string(mishap.EventRate), string(mishap.Latency), string(mishap.Gauge)}
	if !slices.Contains(kinds, string(m.Metric)) {
		c.complain(n, "metric", fmt.Sprintf("%q is not a metric", shorten(string(m.Metric))), "known: "+strings.Join(kinds, ", "))
		return
	}
	c.checkLine(n, "name", m.Name)
	c.checkDirection(n, m)
	c.checkPart(n, m)
	c.checkUnit(n, m)
	margin := n.get("margin")
	if margin != nil && !margin.value.hasBroken() {
		c.checkMargin(n, m)
	}
	if c.form.Compare.Arms.From == mishap.ArmsFromTargets && m.Source == defaultSource {
		c.complain(n, "source", "arms from targets need a source that knows them by name", "for example source: prometheus")
		return
	}
	if c.form.Compare.Arms.From == mishap.ArmsFromTargets && m.Metric == mishap.EventRate {
		c.complain(n, "metric", "event-rate needs to know which share of the traffic each arm gets, and targets do not say", "compare success-rate or latency, or take arms from requests")
	}
	if m.Weight < 0 || m.Weight > 1 {
		c.complain(n, "weight", "weight must be from 0 to 1", "")
	}
	var known []string
	for _, s := range c.options.Sources {
		known = append(known, s.Name)
	}
	i := slices.Index(known, m.Source)
	if i < 0 {
		c.complain(n, "source", fmt.Sprintf("there is no source %q", shorten(m.Source)), mishap.Suggest(m.Source, known))
		return
	}
	if !n.hasBroken() {
		c.complainErr(n, c.options.Sources[i].Check(m.metric()))
	}
	c.warnUndecided(n, m)
}

func (c *checker) checkDirection(n *node, m *compareMetricForm) {
	switch h := m.Harm; {
	case h == "" && m.Metric == mishap.Gauge:
		c.complain(n, "metric", "a gauge needs harm: which way is worse", "harm: increase, or harm: decrease")
	case h != "" && h != mishap.Increase && h != mishap.Decrease:
		c.complain(n, "harm", fmt.Sprintf("harm %q must be increase or decrease", shorten(string(h))), "")
	case h == mishap.Increase && m.Metric == mishap.SuccessRate, h == mishap.Decrease && m.Metric == mishap.Latency:
		c.complain(n, "harm", fmt.Sprintf("more of %s is no harm", m.Metric), "leave harm out")
	}
}

func (c *checker) checkMargin(n *node, m *compareMetricForm) {
	units := map[mishap.MetricKind]string{mishap.SuccessRate: "pp %", mishap.EventRate: "%", mishap.Latency: "%", mishap.Gauge: ""}
	unit := m.Margin.unit
	if unit == "" && m.Metric != mishap.Gauge || unit != "" && !strings.Contains(units[m.Metric], unit) {
		hints := map[mishap.MetricKind]string{mishap.SuccessRate: "0.5pp, or 20% more failures", mishap.EventRate: "5%", mishap.Latency: "20%", mishap.Gauge: "3, in the gauge's own unit"}
		c.complain(n, "margin", fmt.Sprintf("%v%s is not a margin of %s", m.Margin.number, unit, m.Metric), "for example "+hints[m.Metric])
		return
	}
	if unit == "pp" && m.Margin.number >= 100 || unit == "%" && m.direction() == mishap.Decrease && m.Metric == mishap.EventRate && m.Margin.number >= 100 {
		c.complain(n, "margin", "the margin is everything", "")
	}
}

// mostQuantiles is how many quantiles of a latency are counted exactly.
const mostQuantiles = 4

// checkPart reports keys that the metric does not have.
func (c *checker) checkPart(n *node, m *compareMetricForm) {
	if m.Metric != mishap.Latency {
		for _, key := range []string{"quantiles", "floor"} {
			if n.get(key) != nil {
				c.complain(n, key, fmt.Sprintf("%s has no %s", m.Metric, key), "it is for metric: latency")
			}
		}
	}
	if q := n.get("quantiles"); q != nil && !q.value.hasBroken() && m.Metric == mishap.Latency {
		sorted := slices.Clone(m.Quantiles)
		slices.Sort(sorted)
		if twice := len(slices.Compact(sorted)) < len(m.Quantiles); twice || len(m.Quantiles) == 0 || len(m.Quantiles) > mostQuantiles {
			c.complain(n, "quantiles", fmt.Sprintf("quantiles must be 1 to %d different ones", mostQuantiles), "such as [p50, p99]")
		}
	}
	if n.get("path") != nil && (!strings.HasPrefix(m.Path, "/") || strings.Contains(strings.TrimSuffix(m.Path, "*"), "*")) {
		c.complain(n, "path", fmt.Sprintf("path %q must begin with /, and may end in *", shorten(m.Path)), "such as /cart or /cart/*")
	}
	if n.get("method") != nil && !methodName.MatchString(m.Method) {
		c.complain(n, "method", fmt.Sprintf("%q is not a method", shorten(m.Method)), "such as GET or POST")
	}
	for _, key := range []string{"path", "method"} {
		if n.get(key) != nil && m.Source != defaultSource {
			c.complain(n, key, fmt.Sprintf("only the source %s tells requests by %s", defaultSource, key), "select by a label of the source")
		}
	}
}
