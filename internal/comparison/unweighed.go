package comparison

import (
	"fmt"
	"strings"

	"mishap"
	"mishap/internal/analysis"
	"mishap/internal/slots"
)

// unlikely is beyond how many standard deviations arms differ in what no metric
// decides: the plain 99 % of a normal, as of what is said once.
const unlikely = 2.33

// unweighed is how the arms differ in what no metric decides, of what met the
// fault and of all requests, and of how many nobody sees what becomes. It shows no
// harm; but nothing is held beside it.
func (c *Comparison) unweighed() []analysis.Doubt {
	return c.beside(func(row mishap.CountedRow, sums slots.RowSums) string {
		e, control := sums.Experiment.Since, sums.Control.Since
		switch {
		case unseen(row):
			return c.hides(row, control.N, control.Y, e.N, e.Y)
		case c.unlike(row, control, e):
			return fmt.Sprintf(unweighedText(row.Of), percent(e.Y/e.N), percent(control.Y/control.N))
		}
		return ""
	})
}

// hidden is of how many requests of the baseline nobody sees what becomes, if
// harm to them would be more than is tolerated: the fault would not show it.
func (c *Comparison) hidden() []analysis.Doubt {
	return c.beside(func(row mishap.CountedRow, sums slots.RowSums) string {
		e, control := sums.Experiment.Before, sums.Control.Before
		if both := control.Plus(e); unseen(row) && both.Y >= sureOf {
			return c.hides(row, both.N, both.Y, both.N, both.Y)
		}
		return ""
	})
}

// beside are the doubts that rows give which no metric decides by.
func (c *Comparison) beside(says func(mishap.CountedRow, slots.RowSums) string) (all []analysis.Doubt) {
	for _, b := range c.books {
		for _, row := range c.options.Compare.Unweighed() {
			for _, name := range []string{row.Name, row.Name + analysis.AllSuffix} {
				sums, _ := b.counts.Sums.Row(name)
				if text := says(row, sums); text != "" {
					all = append(all, analysis.Doubt{Kind: analysis.UnweighedDoubt, Text: partOf(row) + text})
					break
				}
			}
		}
	}
	return all
}

// unseen is a row of requests of which nobody sees what becomes.
func unseen(row mishap.CountedRow) bool {
	return row.Of == mishap.CountLate || row.Of == mishap.CountSealed
}

// goesOn is how many answers of control began well and went on after patience, if
// harm to them would be more than is tolerated.
func (c *Comparison) goesOn() (all []string) {
	for _, d := range c.beside(func(row mishap.CountedRow, sums slots.RowSums) string {
		control := sums.Control.Since
		if share := control.Y / max(control.N, 1); row.Of == mishap.CountCut && share > max(c.tolerated(row), mostHidden) {
			return fmt.Sprintf("what became after patience (%s) of the %s of the answers that went on", c.options.Compare.Patience, percent(share))
		}
		return ""
	}) {
		all = append(all, d.Text)
	}
	return all
}

// mostHidden is how many there may be where no success rate tolerates anything.
const mostHidden = 0.01

// hides says that harm beyond what is tolerated would not be seen: of control's
// requests that failed by patience alone, for those of the experiment may have
// failed for good; of either's whose answers cannot be looked at.
func (c *Comparison) hides(row mishap.CountedRow, n, y, ofE, sealed float64) string {
	share := y / max(n, 1)
	if row.Of == mishap.CountSealed {
		share = max(share, sealed/max(ofE, 1))
	}
	most := c.tolerated(row)
	if most == 0 {
		most = mostHidden
	}
	switch {
	case share <= most:
		return ""
	case row.Of == mishap.CountSealed:
		return percent(share) + " of the answers are packed with something else than gzip, or are JSON that is malformed or longer than 64 KiB, so that it is not known whether they are what success calls a failure: let the service send them otherwise"
	}
	return fmt.Sprintf("%s of the requests have no answer within patience (%s) without a fault, so that it would not be seen if the fault kept them from one for good: write a longer patience, or confine metrics by path",
		percent(share), c.options.Compare.Patience)
}

// unlike says whether more of the experiment's are so than of control's, by more
// than the margin and than chance makes of units. Fewer redirects, or answers that
// go on, are as odd as more: a form that redirects after it was sent shows its
// errors without, and a stream that has broken ends soon.
func (c *Comparison) unlike(row mishap.CountedRow, control, e slots.Moments) bool {
	if e.N == 0 || control.N == 0 {
		return false
	}
	more, z := e.Y/e.N-control.Y/control.N, analysis.Apart(control, e)
	if row.Of != mishap.CountRefused && row.Of != mishap.CountFailures && more < 0 {
		more, z = -more, -z
	}
	return more > c.tolerated(row) && z >= unlikely
}

// unweighedText says what is so, and what to do.
func unweighedText(of mishap.Counting) string {
	switch of {
	case mishap.CountRefused:
		return "%s of the experiment's answers are 4xx, or of gRPC neither OK nor an error of the server, and %s of control's: say under success which status is one, such as status: 2xx, or not: {grpcStatus: [8]}"
	case mishap.CountMoved:
		return "%s of the experiment's answers are redirects, and %s of control's: say under success which status is one, such as status: 200-399"
	case mishap.CountCut:
		return "%s of the experiment's answers were cut (not whole within patience, or their client left or ended its side), and %s of control's: what became of them is not known; a longer patience may tell"
	}
	return "%s of the experiment's requests failed, and %s of control's, which no metric compares: add {metric: success-rate, margin: …}"
}

// partOf is the part of the requests that a row is of, before what is said of it.
func partOf(row mishap.CountedRow) string {
	if part := strings.TrimSpace(row.Method + " " + row.Path); part != "" {
		return "of " + part + " "
	}
	return ""
}

// tolerated is how many more may fail of a part of the requests: what the success
// rate that is the strictest with them allows.
func (c *Comparison) tolerated(row mishap.CountedRow) (most float64) {
	for _, m := range c.metrics {
		concerns := (m.Path == "" || m.Path == row.Path) && (m.Method == "" || m.Method == row.Method)
		if !concerns || m.Metric != mishap.SuccessRate {
			continue
		}
		margin := m.Margin.Difference
		if m.Margin.Ratio > 1 && m.book != nil {
			sums, _ := m.book.counts.Sums.Row(m.Name)
			usual := sums.Control.Before.Plus(sums.Experiment.Before)
			margin = (m.Margin.Ratio - 1) * usual.Y / max(usual.N, 1)
		}
		if margin > 0 && (most == 0 || margin < most) {
			most = margin
		}
	}
	return most
}
