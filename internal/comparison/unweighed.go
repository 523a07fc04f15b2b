package comparison

import (
	"fmt"
	"math"

	"mishap"
	"mishap/internal/analysis"
	"mishap/internal/slots"
)

// unweighed is how the arms differ in what no metric decides: answers of 4xx that
// the file neither calls successes nor failures, and failures where none compares
// them. Only totals are known of them, so that they show no harm; but nothing is
// held beside them.
func (c *Comparison) unweighed() (all []analysis.Doubt) {
	for _, b := range c.books {
		since := b.counts.Since
		if s := c.options.Compare.Success; s == nil || s.Status.IsZero() {
			if e, ctl, more := b.more(since.Refused, since.Requests, c.tolerated()); more {
				all = append(all, analysis.Doubt{Kind: analysis.UnweighedDoubt, Text: fmt.Sprintf(
					"%s of the experiment's answers are 4xx, and %s of control's: say under success which status is a success, such as status: 2xx", e, ctl)})
			}
		}
		if !c.comparesFailures() {
			if e, ctl, more := b.more(since.Failed, since.Requests, c.tolerated()); more {
				all = append(all, analysis.Doubt{Kind: analysis.UnweighedDoubt, Text: fmt.Sprintf(
					"%s of the experiment's requests failed, and %s of control's, which no metric compares: add {metric: success-rate, margin: …}", e, ctl)})
			}
		}
	}
	return all
}

// comparesFailures reports whether a run has to clear failures.
func (c *Comparison) comparesFailures() bool {
	for _, m := range c.metrics {
		if m.book != nil && m.Metric == mishap.SuccessRate && m.Guarded() {
			return true
		}
	}
	return false
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

// more reports whether more of the experiment's requests are something than of
// control's, by more than is tolerated, and so that chance does not do it even
// if each unit were wholly so or wholly not.
func (b *book) more(some, of mishap.ArmCount, tolerated float64) (experiment, control string, more bool) {
	units := b.effective()
	if of.Control == 0 || of.Experiment == 0 || units[0] == 0 || units[1] == 0 {
		return "", "", false
	}
	e, ctl := float64(some.Experiment)/float64(of.Experiment), float64(some.Control)/float64(of.Control)
	p := float64(some.Experiment+some.Control) / float64(of.Experiment+of.Control)
	chance := apart * math.Sqrt(p*(1-p)*(1/units[0]+1/units[1]))
	return percent(e), percent(ctl), e-ctl > max(tolerated, chance)
}

// effective is how many units of each arm a book has seen since the injection, as
// if all were equally active.
func (b *book) effective() (units [2]float64) {
	for _, r := range b.counts.Sums.Rows {
		for arm, m := range [...]*slots.Moments{&r.Control.Since, &r.Experiment.Since} {
			if m.NN > 0 {
				units[arm] = max(units[arm], m.N*m.N/m.NN)
			}
		}
	}
	return units
}
