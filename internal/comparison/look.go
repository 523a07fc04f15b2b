package comparison

import (
	"fmt"
	"slices"
	"time"

	"mishap"
	"mishap/internal/analysis"
)

// look says what is known, if it is time to: about once a second, and at once
// when the outcome changes. In the baseline it says whether it is over.
func (c *Comparison) look(now time.Time) (mishap.Comparison, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count()
	status := c.math.Status(now)
	look := mishap.Comparison{Phase: mishap.InBaseline, Start: c.looked, Width: mishap.Duration(now.Sub(c.looked)), Doubts: c.missing()}
	if c.injected.IsZero() {
		c.lookBefore(&look, now)
	} else {
		c.lookDuring(&look, now, status)
	}
	over := look.Outcome != c.outcome || look.Ready
	if !over && now.Sub(c.looked) < lookEvery {
		return look, false
	}
	c.outcome = look.Outcome
	c.describe(&look, status, over)
	look.From, look.To, c.span = c.span.from, c.span.to, span{}
	c.looked = now
	return look, true
}

// missing is what sources did not give.
func (c *Comparison) missing() []string {
	var all []string
	for _, m := range c.metrics {
		if m.missing != "" && !slices.Contains(all, m.missing) {
			all = append(all, m.missing)
		}
	}
	if c.few() {
		all = append(all, fmt.Sprintf("targets in each arm: %d; harm can be shown, but with fewer than %d it is not ruled out", c.options.Targets, fewTargets))
	}
	if c.options.Keyless != nil {
		if n, of := c.options.Keyless(); 2*n > of {
			all = append(all, fmt.Sprintf("%s of the requests lack %s, and so are in neither arm", percent(float64(n)/float64(of)), c.options.Compare.Arms.Key))
		}
	}
	return all
}

// lookBefore is a look in the baseline. It is over once what its time held is
// closed; then the fault may come, or there is a reason why it would show
// nothing.
func (c *Comparison) lookBefore(look *mishap.Comparison, now time.Time) {
	left := c.options.Compare.Baseline.AtLeast() + c.delay() - now.Sub(c.began)
	look.Left = mishap.Duration(max(left, 0))
	if left > 0 {
		return
	}
	if why := c.hopeless(); why != "" {
		look.Outcome, look.Reason = mishap.Undecided, why
		return
	}
	look.Ready = true
}

// lookDuring is a look while the fault is in.
func (c *Comparison) lookDuring(look *mishap.Comparison, now time.Time, status analysis.Status) {
	look.Phase = mishap.InHold
	look.Harm, look.Extra = status.Harm, status.ExtraFailures
	look.Left = mishap.Duration(max(c.options.Horizon-now.Sub(c.injected), 0))
	for _, m := range status.Metrics {
		look.Doubts = append(look.Doubts, m.Doubts...)
	}
	switch d := status.Decision; d.Outcome {
	case analysis.Abort:
		look.Outcome, look.Reason = mishap.HarmShown, c.harmed(status)
	case analysis.Clear:
		look.Outcome, look.Reason = mishap.HarmRuledOut, c.cleared(status, now)
	case analysis.Inconclusive:
		look.Outcome, look.Reason = mishap.Undecided, d.Reason
	}
	if spilt := c.spillover(); spilt != "" && look.Outcome != mishap.HarmShown {
		look.Outcome, look.Reason = mishap.HarmShown, spilt
	}
}

// describe adds the metrics. Curves are in the last look of a phase alone:
// they are long.
func (c *Comparison) describe(look *mishap.Comparison, status analysis.Status, last bool) {
	for i, m := range c.metrics {
		s := status.Metrics[i]
		total := arms{control: s.Control, experiment: s.Experiment}
		if look.Phase == mishap.InBaseline {
			total = m.baseline
		}
		out := mishap.MetricLook{
			Name: m.Name, Control: armLook(m.stretch.control, false), Experiment: armLook(m.stretch.experiment, false),
			Total: mishap.ArmsLook{Control: armLook(total.control, last), Experiment: armLook(total.experiment, last)},
		}
		if look.Phase == mishap.InHold {
			out.Harm, out.Clear = s.Harm, s.Clear
			out.Difference, out.Ratio = (*mishap.Interval)(s.Difference), (*mishap.Interval)(s.Ratio)
		}
		look.Metrics = append(look.Metrics, out)
		m.stretch, m.missing = arms{}, ""
	}
	look.Assigned, c.assigned = c.assigned, nil
}

func armLook(a analysis.Arm, curve bool) mishap.ArmLook {
	look := mishap.ArmLook{
		Requests: a.Requests, Successes: a.Successes, Events: a.Events, Gauge: a.Gauge,
		P50: quantile(a.Latency, 0.5), P99: quantile(a.Latency, 0.99),
	}
	if curve {
		look.Bounds, look.Counts = a.Latency.Bounds, slices.Clone(a.Latency.Counts)
	}
	return look
}
