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
// fault and of all requests. It shows no harm; but nothing is held beside it.
func (c *Comparison) unweighed() (all []analysis.Doubt) {
	for _, b := range c.books {
		for _, row := range c.options.Compare.Unweighed() {
			for _, name := range []string{row.Name, row.Name + analysis.AllSuffix} {
				sums, _ := b.counts.Sums.Row(name)
				if e, control := sums.Experiment.Since, sums.Control.Since; c.unlike(row, control, e) {
					text := fmt.Sprintf(unweighedText(row.Of), percent(e.Y/e.N), percent(control.Y/control.N))
					all = append(all, analysis.Doubt{Kind: analysis.UnweighedDoubt, Text: partOf(row) + text})
					break
				}
			}
		}
	}
	return all
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
		if margin := m.Margin.Difference; concerns && m.Metric == mishap.SuccessRate && margin > 0 && (most == 0 || margin < most) {
			most = margin
		}
	}
	return most
}
