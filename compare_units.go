package mishap

// ProxySource is the source of a metric that names none: the proxy that assigns
// the arms, which knows its units itself.
const ProxySource = "proxy"

// CommandSource is the source that prints what it counts.
const CommandSource = "command"

// Undecided says why a metric is shown and decides nothing, and what to write to
// change that; both are empty if it decides. Chance is of units, and totals of an
// arm say nothing of them.
func (a Arms) Undecided(m CompareMetric) (why, write string) {
	switch {
	case m.Metric == Gauge:
		return "a gauge is a level of an arm, and says nothing of its units", "compare what the level does to users, such as a success-rate of the proxy"
	case m.Source == ProxySource, m.Unit != "":
		return "", ""
	case a.From == ArmsFromTargets:
		return "its numbers are totals of the arms, and say nothing of their targets", "write unit: instance, or the label that names a target"
	case m.Source == CommandSource:
		return "its numbers are totals of the arms, and say nothing of users", "print units, by mishap.slot of the baggage, and write unit: slot; or take the numbers from the proxy of the arms"
	}
	return "its numbers are totals of the arms, and say nothing of users", "label them with mishap.slot of the baggage, and write unit: slot; or take the numbers from the proxy of the arms"
}
