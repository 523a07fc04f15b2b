package live

import (
	"fmt"
	"math"
	"strings"
	"time"

	"mishap"
	"mishap/internal/report"
	"mishap/internal/report/words"
)

// stripColumns is how wide the drawing of an interval is in a live view.
const stripColumns = 24

// rowLines show each interval as it closes in on its margin, and when it may be
// decided.
func rowLines(a *report.Arms) []line {
	i := a.Intervals
	all := []line{rowCells("what decides", levels(), "more in the experiment", "")}
	for _, r := range append(report.AllRows(i), report.Stopping(i)...) {
		style := map[mishap.RowState]string{mishap.Beyond: red, mishap.Within: green}[r.State]
		all = append(all, rowCells(r.Name(), strip(r), r.Range(), style))
	}
	if text := report.Met(i); text != "" {
		all = append(all, line{text: "  " + text, hang: 2})
	}
	for n, text := range i.Waits {
		all = append(all, line{text: fmt.Sprintf("  %-5s  %s", words.Once(n, "waits"), text), hang: 9})
	}
	if wait := i.Earliest.Std() - i.In.Std(); a.Outcome == "" && wait > 0 {
		all = append(all, line{text: "  it may be held in " + words.Took(wait.Round(time.Second)) + " at the soonest"})
	}
	return append(all, line{text: "  extra failed requests: " + words.Joined("; ", a.Failures(), a.ToGo()), hang: 2})
}

// rowCells is a line of the table of intervals; a narrow one does not draw them.
func rowCells(name, drawn, said, style string) line {
	named := func(columns int) string { return words.Pad(words.Cut(words.Clean(name), columns), columns) }
	return line{text: fmt.Sprintf("  %s %-*s %s", named(14), stripColumns, drawn, said), narrow: "  " + named(26) + " " + said, style: style}
}

// column is where a value in margins is drawn.
func column(v float64) int {
	at := int(math.Round((v - report.LeastMargins) / (report.MostMargins - report.LeastMargins) * (stripColumns - 1)))
	return max(0, min(stripColumns-1, at))
}

// levels names the columns of no change and of the margin.
func levels() string {
	b := []byte(strings.Repeat(" ", stripColumns))
	copy(b[column(0):], "0")
	copy(b[column(1):], "margin")
	return string(b)
}

// strip draws an interval: [==o==], with | at no change and at the margin.
func strip(r report.Row) string {
	b := []byte(strings.Repeat("-", stripColumns))
	low, high := r.EndsInMargins()
	for at := column(low); at <= column(high); at++ {
		b[at] = '='
	}
	b[column(0)], b[column(1)] = '|', '|'
	if low >= report.LeastMargins && low <= report.MostMargins {
		b[column(low)] = '['
	}
	if high <= report.MostMargins && high >= report.LeastMargins {
		b[column(high)] = ']'
	}
	if at := r.InMargins(r.More.Estimate); at >= report.LeastMargins && at <= report.MostMargins {
		b[column(at)] = 'o'
	}
	return string(b)
}
