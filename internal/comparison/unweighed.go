package comparison

import (
	"fmt"

	"mishap"
	"mishap/internal/analysis"
)

// unlikely is beyond how many standard deviations arms differ in what no metric
// decides: the plain 99 % of a normal, as of what is said once.
const unlikely = 2.33

// unweighed is how the arms differ in what no metric decides, of all requests. It
// shows no harm; but nothing is held beside it.
func (c *Comparison) unweighed() (all []analysis.Doubt) {
	for _, b := range c.books {
		for _, row := range c.options.Compare.Unweighed() {
			sums, there := b.counts.Sums.Row(row.Name + analysis.AllSuffix)
			if !there {
				sums, there = b.counts.Sums.Row(row.Name)
			}
			e, ctl := sums.Experiment.Since, sums.Control.Since
			if !there || e.N == 0 || ctl.N == 0 || e.Y/e.N-ctl.Y/ctl.N <= c.tolerated() || analysis.Apart(ctl, e) < unlikely {
				continue
			}
			text := "%s of the experiment's requests failed, and %s of control's, which no metric compares: add {metric: success-rate, margin: …}"
			if row.Of == mishap.CountRefused {
				text = "%s of the experiment's answers are 4xx, and %s of control's: say under success which status is a success, such as status: 2xx"
			}
			all = append(all, analysis.Doubt{Kind: analysis.UnweighedDoubt, Text: fmt.Sprintf(text, percent(e.Y/e.N), percent(ctl.Y/ctl.N))})
		}
	}
	return all
}

// tolerated is how many more may fail.
func (c *Comparison) tolerated() (most float64) {
	for _, m := range c.metrics {
		if m.Metric == mishap.SuccessRate {
			most = max(most, m.Margin.Difference)
		}
	}
	return most
}
