package experiments

import (
	"fmt"

	"mishap"
)

// warnChanged says what a comparison that was written for an older version now means, at the place and with the line to
// write. One that says atLeast was written for this one.
func (c *checker) warnChanged(n *node) {
	if n.get("atLeast") != nil || n.hasBroken() {
		return
	}
	say := func(at *node, path, msg, hint string) {
		place := locate(at, path)
		c.warn(place.line, place.column, msg, hint)
	}
	say(n, "", "compare has no atLeast: nothing is cleared before the fault was in force force for 60s; until now it was as soon as there was evidence",
		"write atLeast: 60s, or as long as a cache, a pool or a circuit needs to show harm; it also ends these warnings")
	say(n, "", "when both arms became worse the run is now inconclusive (exit 4), and no longer deviated (exit 3)",
		"give a probe of the steady state an expectation that such harm breaks")
	if n.get("baseline") == nil {
		say(n, "", "compare has no baseline: it was 60s, and now is as long as needed, 60s to 15m", "write baseline: auto, or baseline: 60s, which may be called too short")
	}
	if n.get("stopAfter") != nil {
		say(n, "stopAfter.extraFailures", "extraFailures counts every failed request now, retries too; before, only first attempts",
			"write a number that allows for retries")
	}
	for i, item := range n.get("metrics").value.items {
		c.warnMetric(item, &c.form.Compare.Metrics[i], say)
	}
}

// warnMetric says what of one metric changed.
func (c *checker) warnMetric(n *node, m *compareMetricForm, say func(at *node, path, msg, hint string)) {
	if n.get("weight") != nil {
		say(n, "weight", "weight is no longer used", "remove it")
	}
	if why, _ := c.undecided(m); why != "" {
		return
	}
	if n.get("margin") != nil {
		say(n, "margin", "a margin is a tolerance now: harm below it no longer stops a run",
			fmt.Sprintf("to stop on any harm add {name: any-%s, metric: %s}", m.metric().Name, m.Metric))
	}
	if m.Metric == mishap.Latency && n.get("quantiles") == nil {
		say(n, "metric", "a latency is compared by the p50, p90 and p99 of answers now; what fails is of success-rate", "write quantiles: [p50, p90, p99], and floor: 1ms")
	}
}
