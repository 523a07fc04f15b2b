package comparison

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"mishap"
	"mishap/internal/analysis"
	"mishap/internal/metrics"
	"mishap/internal/slots"
)

// lookBefore is a look in the baseline. It is over once what it needs is
// counted; then the fault may come, or there is a reason why it would show
// nothing.
func (c *Comparison) lookBefore(look *mishap.Comparison, now time.Time) {
	undecided := func(why string) { look.Outcome, look.Reason = mishap.Undecided, why }
	if why := c.unusable(); why != "" {
		undecided(why)
		return
	}
	baseline, elapsed := c.options.Compare.Baseline, now.Sub(c.began)-c.delay()
	left := baseline.AtLeast() - elapsed
	look.Left = mishap.Duration(max(left, 0))
	if left > 0 || c.fixing {
		return
	}
	known := c.math.Baseline()
	if why := c.hopeless(known); why != "" {
		undecided(why)
		return
	}
	if hidden := c.hidden(); hidden != nil {
		undecided(hidden[0].Text)
		return
	}
	if errors.Is(c.unfixed, errImpatient) {
		undecided(c.unfixed.Error())
		return
	}
	if baseline.Auto && (!known.Enough || !c.limits) {
		if most := baseline.AtMost(); elapsed >= most || elapsed+known.Left > 2*most {
			undecided(c.tooShort(known, elapsed+known.Left))
			return
		}
		look.Left = mishap.Duration(known.Left.Round(time.Second))
		look.Doubts = append(look.Doubts, "the baseline goes on: it does not yet bear a comparison of both arms with it")
		return
	}
	if !c.limits {
		undecided(fmt.Sprintf("the baseline does not tell what is slow: %v", c.unfixed))
		return
	}
	look.Ready = true
}

// unusable is why a book will never count anything, or nothing is counted of
// units at all.
func (c *Comparison) unusable() string {
	for _, b := range c.books {
		if errors.Is(b.failed, metrics.ErrNoUnits) || errors.Is(b.failed, metrics.ErrBegunAnew) || errors.Is(b.failed, analysis.ErrReset) {
			return b.failed.Error()
		}
	}
	if c.exposure != nil {
		if known := c.exposure.state(); known.old != "" {
			return known.old
		}
	}
	if len(c.books) == 0 && !c.options.Watched {
		return "nothing can be decided: " + c.totals() + c.remedy()
	}
	return ""
}

// remedy is what to write for the first metric to decide.
func (c *Comparison) remedy() string {
	_, write := c.options.Compare.Arms.Undecided(c.metrics[0].CompareMetric)
	if write == "" {
		return ""
	}
	return "; " + write
}

// totals names the metrics that decide nothing, and why; empty if all decide.
func (c *Comparison) totals() string {
	var names []string
	for _, m := range c.metrics {
		if m.book == nil {
			names = append(names, m.Name)
		}
	}
	if names == nil {
		return ""
	}
	return fmt.Sprintf("of %s only the totals of the arms are known, and nothing of units", strings.Join(names, ", "))
}

// tooShort says that the baseline would have to be longer than it may be.
func (c *Comparison) tooShort(b analysis.Baseline, needed time.Duration) string {
	most := c.options.Compare.Baseline.AtMost()
	if c.unfixed != nil {
		return fmt.Sprintf("a baseline of %s does not tell what is slow: %v", mishap.Duration(most), c.unfixed)
	}
	rate := b.Needed / (2 * most.Seconds())
	return fmt.Sprintf("too little traffic for a baseline: it would have to last %s, and lasts %s at most; %.3g requests/s per arm would do, or a larger margin",
		rounded(needed), mishap.Duration(most), rate)
}

// hopeless says why the fault would show nothing, from what the baseline was;
// empty if it may.
func (c *Comparison) hopeless(b analysis.Baseline) string {
	hopeless := ""
	if c.exposure != nil {
		known := c.exposure.state()
		if why := known.cut(); why != "" {
			return why
		}
	}
	for _, d := range b.Doubts {
		switch d.Kind {
		case analysis.HopelessDoubt:
			hopeless = d.Text
		case analysis.MissingDoubt, analysis.SilentDoubt:
			return joined(d.Text, c.why())
		default:
			return d.Text
		}
	}
	for _, m := range c.metrics {
		if m.book == nil || m.Metric != mishap.SuccessRate {
			continue
		}
		if sums, there := m.book.counts.Sums.Row(m.Name); there {
			if why := differ(sums); why != "" {
				return why
			}
		}
	}
	if c.options.NoFault || c.options.Targets > 0 { // which is shown as it is, or may be stopped
		return ""
	}
	return hopeless
}

// why is what sources and books failed with at last.
func (c *Comparison) why() string {
	for _, b := range c.books {
		if b.failed != nil {
			return b.failed.Error()
		}
	}
	for _, m := range c.metrics {
		if m.failed != "" {
			return m.failed
		}
	}
	return ""
}

func joined(parts ...string) string {
	var some []string
	for _, p := range parts {
		if p != "" {
			some = append(some, p)
		}
	}
	return strings.Join(some, ": ")
}

// apart is beyond how many standard deviations arms are not alike: fair coins
// beside the units' own sums are so in at most one run of 200 (Hoeffding).
const apart = 3.5

// differ says whether the arms fail differently without a fault: then they are
// not alike, and a difference with it would show nothing.
func differ(r slots.RowSums) string {
	e, ctl := r.Experiment.Before, r.Control.Before
	both := e.Plus(ctl)
	if e.N == 0 || ctl.N == 0 {
		return ""
	}
	p := both.Y / both.N
	left := (e.Y - p*e.N) - (ctl.Y - p*ctl.N)
	variance := both.YY - 2*p*both.NY + p*p*both.NN
	if variance <= 0 || math.Abs(left) < apart*math.Sqrt(variance) {
		return ""
	}
	return fmt.Sprintf("the arms are not alike: without a fault, %s of requests failed in the experiment, %s in control", percent(e.Y/e.N), percent(ctl.Y/ctl.N))
}
