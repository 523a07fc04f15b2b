package comparison

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mishap"
	"mishap/internal/analysis"
	"mishap/internal/metrics"
)

// quarter is the least part of a baseline that thresholds are read off.
const quarter = 15 * time.Second

// limitsAfter is when the thresholds of latencies are fixed: after the first
// quarter of the baseline, and half of a short one at the latest.
func limitsAfter(b mishap.BaselineTime) time.Duration {
	return min(max(b.AtLeast()/4, quarter), b.AtLeast()/2)
}

// fix fixes the thresholds when it is time, and tells the books. Those who wait
// for a book are not held up.
func (c *Comparison) fix(ctx context.Context, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.limits || c.fixing || !c.injected.IsZero() || now.Sub(c.began) < limitsAfter(c.options.Compare.Baseline)+c.delay() {
		return
	}
	found, err := c.thresholds(now.Sub(c.began)-c.delay() >= c.options.Compare.Baseline.AtLeast()/2)
	if c.unfixed = err; err != nil {
		return
	}
	c.fixing = true
	c.telling.Go(func() { c.tell(ctx, found) })
}

// limit is the threshold of one row.
type limit struct {
	book *book
	row  string
	at   analysis.Threshold
}

// thresholds are those of all rows. A row that only stops is left out if there
// are too few answers for it; for one that has to be cleared that is an error.
// Where only what would have met the fault counts, they are of those answers; if
// these are too few when it gets late, of all: what is claimed is right whatever
// the threshold is.
func (c *Comparison) thresholds(late bool) (all []limit, err error) {
	for _, m := range c.metrics {
		if m.book == nil || m.Metric != mishap.Latency {
			continue
		}
		floor := m.Floor
		if floor == 0 {
			floor = mishap.DefaultFloor
		}
		h, fix := answers(m.baseline), analysis.FixThreshold
		if b, ok := m.book.Book.(metrics.Binned); ok && b.Binned() {
			h, fix = bothArms(m.baseline), analysis.FixBound
		}
		for _, row := range m.CountedRows() {
			of, whole := c.answersOf(m, row, h)
			at, wrong := fix(of, float64(row.Quantile), m.Margin.Ratio, floor.Std().Seconds())
			if wrong != nil && late {
				of = whole
				at, wrong = fix(of, float64(row.Quantile), m.Margin.Ratio, floor.Std().Seconds())
			}
			if wrong == nil {
				wrong = c.untold(m, row.Quantile, of, at)
			}
			switch {
			case wrong == nil:
				all = append(all, limit{m.book, row.Name, at})
			case row.Clears:
				err = errors.Join(err, fmt.Errorf("%s: %w", m.Name, wrong))
			}
		}
	}
	return all, err
}

// errImpatient is a quantile that patience hides; more of a baseline does not show it.
var errImpatient = errors.New("answers take longer than patience")

// untold says that a quantile of the baseline lies where the proxy tells no answer from a slower one: whatever takes
// longer than patience is alike to it, so that nothing would be slower with any fault.
func (c *Comparison) untold(m *metric, q mishap.Quantile, of analysis.Histogram, at analysis.Threshold) error {
	patience := c.options.Compare.Filled().Patience
	if m.Source != mishap.ProxySource || at.Usual <= of.From(patience.Std().Seconds()) {
		return nil
	}
	return fmt.Errorf("%w: without a fault %s lies at %s or beyond, where none is told from a slower one, so that a fault would show nothing; write a longer patience, or a lower quantile",
		errImpatient, q, patience)
}

// answersOf are the answers in the baseline that a row's threshold is read off,
// and those of all requests beside them, where the row is of what met the fault.
// Answers to other parts of the traffic say nothing of a row that is confined.
func (c *Comparison) answersOf(m *metric, row mishap.CountedRow, h analysis.Histogram) (of, all analysis.Histogram) {
	told, confined := m.book.counts.Answers, m.Path != "" || m.Method != ""
	switch {
	case c.exposure != nil && m.tellsWhoMet() && confined:
		return told[row.Name], told[row.Name+analysis.AllSuffix]
	case c.exposure != nil && m.tellsWhoMet():
		return told[row.Name], h
	case confined:
		h = told[row.Name]
	}
	return h, h
}

// answers is how long both arms took to answer, without what failed.
func answers(a arms) analysis.Histogram {
	h := bothArms(a)
	if h.IsZero() {
		return h
	}
	h.Counts = slices.Clone(h.Counts)
	h.Counts[len(h.Counts)-1] = 0
	return h
}

func bothArms(a arms) analysis.Histogram {
	var both analysis.Arm
	addArm(&both, a.control)
	addArm(&both, a.experiment)
	return both.Latency
}

// tell tells the books, and then the analysis.
func (c *Comparison) tell(ctx context.Context, all []limit) {
	ctx, cancel := context.WithTimeout(ctx, pollWithin)
	defer cancel()
	var problems []error
	for _, b := range c.books {
		var of []metrics.Threshold
		for _, l := range all {
			if l.book == b {
				of = append(of, metrics.Threshold{Row: l.row, Control: period(l.at.Usual), Experiment: period(l.at.Slow)})
			}
		}
		if of != nil {
			problems = append(problems, b.SetThresholds(ctx, of))
		}
	}
	err := errors.Join(problems...)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fixing, c.unfixed = false, err
	if err != nil {
		return
	}
	for _, l := range all {
		_ = c.math.Fix(l.row, l.at) // rows and thresholds are the analysis's own
	}
	c.limits = true
}

func period(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }
