package report

import (
	"fmt"

	"mishap"
)

// planArms says how the arms come about, what is compared, and what the traffic
// of the moment can show.
func planArms(p *page, plan mishap.Plan, foretold []string) {
	c := plan.Experiment.Compare
	if c == nil {
		return
	}
	p.heading("arms")
	if plan.Experiment.SamplesTargets() {
		planSampled(p, plan)
	} else {
		p.labelled(2, 14, "from", fmt.Sprintf("requests that pass %s: %s of the units (%s) to control, as many to the experiment", c.Arms.Proxy, c.Arms.Share, c.Arms.Key))
	}
	for _, in := range plan.Injections {
		if in.Fault != mishap.ArmsFault {
			continue
		}
		for _, note := range in.Notes {
			p.labelled(2, 14, "", note)
		}
	}
	p.labelled(2, 14, "baseline", planBaseline(c.Baseline))
	if c.AtLeast > 0 {
		p.labelled(2, 14, "held", fmt.Sprintf("no sooner than %s after the injection", c.AtLeast))
	}
	for i, m := range c.Metrics {
		label := ""
		if i == 0 {
			label = "compared"
		}
		p.labelled(2, 14, label, planMetric(c.Arms, m))
	}
	p.labelled(2, 14, "false alarm", fmt.Sprintf("at most %.4g of 100 runs of a healthy system are called deviated", 100*c.Alpha))
	if n := c.StopAfter.ExtraFailures; n > 0 {
		p.labelled(2, 14, "stop after", fmt.Sprintf("about %.4g failed requests beyond control's share, retries too; then it is inconclusive", n))
	}
	for i, line := range foretold {
		label := ""
		if i == 0 {
			label = "traffic now"
		}
		p.labelled(2, 14, label, line)
	}
}

// planBaseline says how long the arms are watched before any fault.
func planBaseline(b mishap.BaselineTime) string {
	if b.Auto {
		return fmt.Sprintf("without a fault as long as it is needed, from %s to %s", mishap.Duration(b.AtLeast()), b.Time)
	}
	return fmt.Sprintf("%s without a fault", b)
}

// planSampled names the targets that are left alone as control.
func planSampled(p *page, plan mishap.Plan) {
	p.labelled(2, 14, "from", "targets: as many like those that the fault hits are left alone")
	for i, in := range plan.Injections {
		label := ""
		if i == 0 {
			label = "control"
		}
		if in.Control != nil {
			p.labelled(2, 14, label, in.Control.Label())
		}
	}
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
