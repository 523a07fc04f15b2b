package report

import (
	"fmt"

	"mishap"
)

// planArms says how the arms come about, what is compared, and what the traffic
// of the moment can show.
func planArms(plan mishap.Plan, foretold []string) (all []SheetField) {
	c := plan.Experiment.Compare
	if plan.Experiment.SamplesTargets() {
		all = planSampled(plan)
	} else {
		all = []SheetField{{"from", fmt.Sprintf("requests that pass %s: %s of the units (%s) to control, as many to the experiment", c.Arms.Proxy, c.Arms.Share, c.Arms.Key)}}
	}
	for _, in := range plan.Injections {
		if in.Fault == mishap.ArmsFault {
			all = append(all, labelled("", in.Notes)...)
		}
	}
	all = append(all, SheetField{"baseline", planBaseline(c.Baseline)})
	if c.AtLeast > 0 {
		all = append(all, SheetField{"held", fmt.Sprintf("no sooner than %s after the injection", c.AtLeast)})
	}
	var compared []string
	for _, m := range c.Metrics {
		compared = append(compared, planMetric(c.Arms, m))
	}
	all = append(all, labelled("compared", compared)...)
	all = append(all, SheetField{"false alarm", fmt.Sprintf("at most %.4g of 100 runs of a healthy system are called deviated", 100*c.Alpha)})
	if n := c.StopAfter.ExtraFailures; n > 0 {
		all = append(all, SheetField{"stop after", fmt.Sprintf("about %.4g failed requests beyond control's share, retries too; then it is inconclusive", n)})
	}
	return append(all, labelled("traffic now", foretold)...)
}

// planBaseline says how long the arms are watched before any fault.
func planBaseline(b mishap.BaselineTime) string {
	if b.Auto {
		return fmt.Sprintf("without a fault as long as it is needed, from %s to %s", mishap.Duration(b.AtLeast()), b.Time)
	}
	return fmt.Sprintf("%s without a fault", b)
}

// planSampled names the targets that are left alone as control.
func planSampled(plan mishap.Plan) []SheetField {
	var control []string
	for _, in := range plan.Injections {
		if in.Control != nil {
			control = append(control, in.Control.Label())
		}
	}
	return append([]SheetField{{"from", "targets: as many like those that the fault hits are left alone"}}, labelled("control", control)...)
}

func planMetric(arms mishap.Arms, m mishap.CompareMetric) string {
	text := m.Name
	if m.Name != string(m.Metric) {
		text += " (" + string(m.Metric) + ")"
	}
	text += " from " + m.Source
	if m.Unit != "" {
		text += ", units by " + m.Unit
	}
	why, _ := arms.Undecided(m)
	switch {
	case why != "":
		return text + ": shown, and decides nothing"
	case m.Margin == mishap.Margin{}:
		return text + ": can stop the run, and needs no clearing"
	case m.Margin.Ratio > 1 && m.Metric == mishap.SuccessRate:
		return text + fmt.Sprintf(": up to %.4g %% more failures are tolerated", 100*(m.Margin.Ratio-1))
	case m.Margin.Ratio > 1:
		return text + fmt.Sprintf(": up to %.4g %% more is tolerated", 100*(m.Margin.Ratio-1))
	case m.Margin.Ratio > 0:
		return text + fmt.Sprintf(": up to %.4g %% less is tolerated", 100*(1-m.Margin.Ratio))
	case m.Metric == mishap.SuccessRate:
		return text + fmt.Sprintf(": up to %.4g percentage points more failures are tolerated", 100*m.Margin.Difference)
	}
	return text + fmt.Sprintf(": a difference up to %.4g is tolerated", m.Margin.Difference)
}
