package mishap

import (
	"fmt"
	"time"
)

// ProxySource is the source of a metric that names none: the proxy that assigns
// the arms, which knows its units itself.
const ProxySource = "proxy"

// CommandSource prints what it counts, and OTLPSource is sent it.
const (
	CommandSource = "command"
	OTLPSource    = "otlp"
)

// Undecided says why a metric is shown and decides nothing, and what to write to
// change that; both are empty if it decides. Chance is of units, and totals of an
// arm say nothing of them.
func (a Arms) Undecided(m CompareMetric) (why, write string) {
	slot, target := "slot", "instance"
	if m.Source == OTLPSource {
		slot, target = "mishap.slot", "service.instance.id"
	}
	switch {
	case m.Metric == Gauge:
		return "a gauge is a level of an arm, and says nothing of its units", "compare what the level does to users, such as a success-rate of the proxy"
	case m.Source == ProxySource, m.Unit != "":
		return "", ""
	case a.From == ArmsFromTargets:
		return "its numbers are totals of the arms, and say nothing of their targets", "write unit: " + target + ", or the label that names a target"
	case m.Source == CommandSource:
		return "its numbers are totals of the arms, and say nothing of users", "print units, by mishap.slot of the baggage, and write unit: slot; or take the numbers from the proxy of the arms"
	}
	return "its numbers are totals of the arms, and say nothing of users", "label them with mishap.slot of the baggage, and write unit: " + slot + "; or take the numbers from the proxy of the arms"
}

// Tight says why a comparison can hardly be cleared while a fault is in force for so
// long, if its sources tell of a time so late, and what to write; both are empty
// if it may. Only what is told counts, and only until the fault is reverted.
func (c Compare) Tight(lasts, late time.Duration) (why, write string) {
	c = c.Filled()
	atLeast := c.AtLeast.Std()
	late = max(late, c.Patience.Std())
	if lasts < atLeast || lasts >= atLeast+late+time.Second {
		return "", ""
	}
	return fmt.Sprintf("the fault is in force for %s, and nothing is cleared before %s of it (atLeast) are counted, which is told up to %s later: the run can hardly ever hold",
			Duration(lasts), c.AtLeast, Duration(late.Round(100*time.Millisecond))),
		fmt.Sprintf("write for: %s, or atLeast: %s", Duration(max(2*atLeast, atLeast+2*late)).whole(), Duration(max(lasts/2, time.Second)).whole())
}

// whole is d in seconds, and no less.
func (d Duration) whole() Duration {
	return Duration((d.Std() + time.Second - 1).Truncate(time.Second))
}
