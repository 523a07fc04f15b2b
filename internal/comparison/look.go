package comparison

import (
	"fmt"
	"slices"
	"time"

	"mishap"
	"mishap/internal/analysis"
	"mishap/internal/slots"
)

// look says what is known, if it is time to: about once a second, and at once
// when the outcome changes. In the baseline it says whether it is over.
func (c *Comparison) look(now time.Time) (mishap.Comparison, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.assign()
	c.doubt()
	look := mishap.Comparison{Phase: mishap.InBaseline, Start: c.looked, Width: mishap.Duration(now.Sub(c.looked)), Doubts: c.missing()}
	if c.injected.IsZero() {
		c.lookBefore(&look, now)
	} else {
		c.lookDuring(&look, now)
	}
	over := look.Outcome != c.outcome || look.Ready
	if !over && now.Sub(c.looked) < lookEvery {
		return look, false
	}
	c.outcome = look.Outcome
	c.describe(&look, over)
	look.From, look.To, c.span = c.span.from, c.span.to, span{}
	c.looked = now
	return look, true
}

// missing is what sources did not give.
func (c *Comparison) missing() []string {
	var all []string
	say := func(text string) {
		if text != "" && !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	for _, m := range c.metrics {
		say(m.missing)
	}
	for _, b := range c.books {
		if b.failed != nil && b.told {
			say(b.failed.Error())
		}
	}
	if c.exposure != nil {
		known := c.exposure.state()
		for _, text := range known.told() {
			say(text)
		}
	}
	if text := c.totals(); text != "" {
		say(text + ": shown, and decides nothing")
	}
	if n := c.options.Targets; n > 0 && n < fewTargets {
		say(fmt.Sprintf("targets in each arm: %d; with fewer than %d nothing is cleared, and up to 5 show nothing", n, fewTargets))
	}
	if c.options.Keyless != nil {
		if n, of := c.options.Keyless(); 2*n > of {
			say(fmt.Sprintf("%s of the requests lack %s, and so are in neither arm", percent(float64(n)/float64(of)), c.options.Compare.Arms.Key))
		}
	}
	return all
}

// doubt tells the analysis what else keeps a run from being held, and what is
// known of who met the fault.
func (c *Comparison) doubt() {
	all := c.unweighed()
	if c.exposure != nil {
		known := c.exposure.state()
		if known.lost != "" {
			c.math.Lose(known.lost)
		}
		all = append(all, known.doubts()...)
	}
	c.math.Doubt(all...)
	c.math.Spent(c.spent())
}

// spent is how many extra failures there were of all requests, by the proxy that
// counts the most of them: metrics may be of a part alone.
func (c *Comparison) spent() (most float64) {
	for _, b := range c.books {
		if all := b.counts.Since; b.owner.Source == mishap.ProxySource {
			most = max(most, analysis.Extra(
				slots.Moments{N: float64(all.Requests.Control), Y: float64(all.Failed.Control)},
				slots.Moments{N: float64(all.Requests.Experiment), Y: float64(all.Failed.Experiment)}))
		}
	}
	return most
}

// fewTargets is below how many targets in each arm nothing is cleared.
const fewTargets = 20

// lookDuring is a look while the fault is in force.
func (c *Comparison) lookDuring(look *mishap.Comparison, now time.Time) {
	status := c.math.Status(now)
	look.Phase, look.Extra = mishap.InHold, status.Extra
	look.Left = mishap.Duration(max(c.options.Horizon-now.Sub(c.injected), 0))
	look.Intervals = c.intervals(&status)
	switch d := status.Decision; d.Outcome {
	case analysis.Deviated:
		look.Outcome, look.Reason = mishap.HarmShown, harmed(&status)
	case analysis.Held:
		look.Outcome, look.Reason = mishap.HarmRuledOut, c.held(look.Intervals)
	case analysis.Inconclusive:
		look.Outcome, look.Reason = mishap.Undecided, d.Reason
		if d.Cause == analysis.HorizonCame {
			look.Reason = c.open(d)
		}
	}
	if why := c.unusable(); why != "" && look.Outcome != mishap.HarmShown {
		look.Outcome, look.Reason = mishap.Undecided, why
	}
}

// open says why there was no answer when the time was over.
func (c *Comparison) open(d analysis.Decision) string {
	if len(c.books) == 0 {
		return "nothing could be decided: " + c.totals()
	}
	return "no answer in " + mishap.Duration(c.options.Horizon).String() + ": " + d.Reason
}

// describe adds the metrics. Curves are in the last look of a phase alone:
// they are long.
func (c *Comparison) describe(look *mishap.Comparison, last bool) {
	for _, m := range c.metrics {
		total := m.since
		if look.Phase == mishap.InBaseline {
			total = m.baseline
		}
		out := mishap.MetricLook{
			Name: m.Name, Control: armLook(m.stretch.control, false), Experiment: armLook(m.stretch.experiment, false),
			Total: mishap.ArmsLook{Control: armLook(total.control, last), Experiment: armLook(total.experiment, last)},
		}
		if look.Intervals != nil && m.Metric == mishap.SuccessRate {
			out.Difference = difference(look.Intervals, m.Name)
		}
		look.Metrics = append(look.Metrics, out)
		m.stretch, m.missing = arms{}, ""
	}
	look.Assigned, c.assigned = c.assigned, nil
}

// difference is the interval that decides of a metric, if it is of shares.
func difference(i *mishap.Intervals, metric string) *mishap.Interval {
	for _, r := range i.Rows {
		if r.Metric == metric && !r.Ratio {
			more := r.More
			return &more
		}
	}
	return nil
}
