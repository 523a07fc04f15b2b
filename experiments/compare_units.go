package experiments

import (
	"fmt"
	"slices"
	"strings"

	"mishap"
)

// undecided says why a metric decides nothing, and what to write; empty if it does.
func (c *checker) undecided(m *compareMetricForm) (why, write string) {
	return mishap.Arms{From: c.form.Compare.Arms.From}.Undecided(m.metric())
}

// warnUndecided says which metrics are shown alone, whatever they show.
func (c *checker) warnUndecided(n *node, m *compareMetricForm) {
	why, write := c.undecided(m)
	if why == "" || n.hasBroken() {
		return
	}
	key := "source"
	if n.get(key) == nil {
		key = "metric"
	}
	place := locate(n, key)
	c.warn(place.line, place.column, fmt.Sprintf("%s is shown and decides nothing: %s", m.metric().Name, why), write)
}

// checkUnit reports labels that name no unit: what was drawn for the arms, a user or a target.
func (c *checker) checkUnit(n *node, m *compareMetricForm) {
	if n.get("unit") == nil || n.get("unit").value.hasBroken() {
		return
	}
	slot := slices.Contains([]string{"slot", "mishap.slot", "mishap_slot"}, m.Unit)
	switch from := c.form.Compare.Arms.From; {
	case m.Unit == "":
		c.complain(n, "unit", "unit is empty", "write the label that says of which unit a number is, or remove it")
	case m.Source == defaultSource:
		c.complain(n, "unit", "the proxy of the arms knows its users itself", "remove unit")
	case m.Metric == mishap.Gauge:
		c.complain(n, "unit", "a gauge is a level of an arm, and has no units", "remove unit")
	case from == mishap.ArmsFromRequests && !strings.HasSuffix(m.Unit, "slot"):
		c.complain(n, "unit", fmt.Sprintf("with arms from requests %s is no unit: it serves both arms", shorten(m.Unit)), "label the numbers with mishap.slot of the baggage, and write unit: slot")
	case from == mishap.ArmsFromTargets && slot:
		c.complain(n, "unit", "with arms from targets there are no slots of users", "write unit: instance, or the label that names a target")
	}
}
