package report

import (
	"fmt"
	"html/template"
	"math"

	"mishap"
	"mishap/internal/plot"
)

// The ends of the axis on which intervals are shown beside each other, in
// margins: 0 is what a harmless fault does, 1 is the margin.
const (
	leastMargins = -2.
	mostMargins  = 4.
)

// inMargins is a value of a row in margins. A row without one is drawn so that
// its interval fits.
func inMargins(r mishap.Row, v float64) float64 {
	unit := r.Margin - r.Same
	if unit == 0 {
		unit = math.Max(math.Abs(r.More.Low-r.Same), math.Abs(r.More.High-r.Same)) / 2
	}
	if unit == 0 || math.IsNaN(unit) {
		return 0
	}
	return (v - r.Same) / unit
}

// farMargins is from where on an interval only shows that it goes on.
const farMargins = 500.

// endsInMargins are both ends of a row's interval in margins, the harmless one first.
func endsInMargins(r mishap.Row) (low, high float64) {
	low, high = inMargins(r, r.More.Low), inMargins(r, r.More.High)
	return min(low, high), max(low, high)
}

// forest is the intervals of all rows against their margins. The axis is close
// to even around the margin, and denser far from it: all of a failure fits too.
func (a *arms) forest() template.HTML {
	if a.intervals == nil || len(a.intervals.Rows) == 0 {
		return ""
	}
	f := plot.Forest{
		ID: "forest", Title: "How much worse the experiment was than control",
		Says:  "Each line is where the difference lies, right at every look. Wholly left of its margin: no harm beyond it. Wholly right of it: harm. Across it: not decided. Far from the margin the scale is denser.",
		X:     plot.Axis{Min: math.Asinh(leastMargins), Max: math.Asinh(mostMargins)},
		Rules: []plot.Rule{{Name: "as control", Class: "none", At: 0}, {Name: "margin", Class: "limit", At: math.Asinh(1)}},
	}
	for _, r := range shownRows(a.intervals) {
		low, high := endsInMargins(r)
		low, high = math.Asinh(low), math.Asinh(high)
		at := math.Asinh(inMargins(r, r.More.Estimate))
		f.X.Min, f.X.Max = min(f.X.Min, max(low, math.Asinh(-farMargins))), max(f.X.Max, min(high, math.Asinh(farMargins)))
		f.Rows = append(f.Rows, plot.ForestRow{
			Name: named(r), Class: string(r.State), Low: low, At: at, High: high,
			Value: fmt.Sprintf("%s %s, margin %s", more(r), ends(r), limit(r)), Note: counted(r), Word: standing(r),
		})
	}
	return f.HTML()
}

// rowCharts show how the interval of each row closed in on its margin.
func (f *film) rowCharts() []plot.Chart {
	looks := f.looks(mishap.InHold)
	if len(looks) == 0 || looks[len(looks)-1].Intervals == nil {
		return nil
	}
	var all []plot.Chart
	for i, r := range looks[len(looks)-1].Intervals.Rows {
		all = append(all, f.rowChart(fmt.Sprintf("interval-%d", i), r, looks))
	}
	return all
}

func (f *film) rowChart(id string, last mishap.Row, looks []*mishap.Comparison) plot.Chart {
	band, line := plot.Band{Name: "where the difference lies", Class: "interval"}, plot.Line{Name: "estimate", Class: "experiment"}
	var gaps []mishap.Interval
	for _, look := range looks {
		for _, r := range rowsOf(look) {
			if r.Metric != last.Metric || r.What != last.What {
				continue
			}
			low, _ := scaled(r, r.More.Low)
			high, _ := scaled(r, r.More.High)
			at, _ := scaled(r, r.More.Estimate)
			x := f.end(look)
			gaps = append(gaps, mishap.Interval{Low: low, Estimate: at, High: high})
			band.Points = append(band.Points, plot.Range{X: x, Low: low, High: high})
			line.Points = append(line.Points, plot.Point{X: x, Y: at})
		}
	}
	margin, unit := scaled(last, last.Margin)
	low, high := span2(gaps, margin)
	c := plot.Chart{
		ID: id, Title: named(last) + ": more in the experiment than in control", Says: sentence(spoken(last)) + " " + sentence(standing(last)),
		X:     timeAxis(f.axisName(), 0, room*f.end(looks[len(looks)-1])),
		Y:     plot.Axis{Min: low, Max: high, Ticks: plot.Ticks(low, high, 5), Format: func(v float64) string { return signed(v) + unit }},
		Rules: []plot.Rule{{Name: "margin " + limit(last), Class: "limit", At: margin}}, Bands: []plot.Band{band}, Lines: []plot.Line{line},
	}
	if len(gaps) == 1 { // which is neither a line nor a band
		c.Lines[0].Dots = true
		c.Bands, c.Bars = nil, c.Bands
	}
	return c
}

// rowsOf are the rows of a look, if it has any.
func rowsOf(look *mishap.Comparison) []mishap.Row {
	if look.Intervals == nil {
		return nil
	}
	return look.Intervals.Rows
}
