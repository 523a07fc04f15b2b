package html

import (
	"fmt"
	"html/template"
	"math"
	"slices"

	"mishap"
	"mishap/internal/plot"
	"mishap/internal/report"
	"mishap/internal/report/words"
)

// farMargins is from where on an interval only shows that it goes on.
const farMargins = 500.

// Forest is the intervals of all rows against their margins, empty if there are none.
// The axis is close to even around the margin, and denser far from it: all of a failure
// fits too. The id is unique in the page.
func Forest(id string, i *mishap.Intervals) template.HTML {
	if i == nil || len(i.Rows) == 0 {
		return ""
	}
	f := plot.Forest{
		ID: id, Title: "How much worse the experiment was than control",
		Says:  says(i),
		X:     plot.Axis{Min: math.Asinh(report.LeastMargins), Max: math.Asinh(report.MostMargins)},
		Rules: []plot.Rule{{Name: "as control", Class: "none", At: 0}, {Name: "margin", Class: "limit", At: math.Asinh(1)}},
	}
	for _, r := range report.ShownRows(i) {
		low, high := r.EndsInMargins()
		low, high = math.Asinh(low), math.Asinh(high)
		at := math.Asinh(r.InMargins(r.More.Estimate))
		f.X.Min, f.X.Max = min(f.X.Min, max(low, math.Asinh(-farMargins))), max(f.X.Max, min(high, math.Asinh(farMargins)))
		f.Rows = append(f.Rows, plot.ForestRow{
			Name: r.Name(), Class: string(r.State), Low: low, At: at, High: high,
			Value: fmt.Sprintf("%s, margin %s", r.Range(), r.Limit()), Note: r.Counted(), Word: r.Standing(),
		})
	}
	return f.HTML()
}

// says is how the picture is read.
func says(i *mishap.Intervals) string {
	text := "Each line is where the true difference lies, however often it is looked at. Wholly left of the margin: no harm beyond it. Right of it: harm. Across it: not decided."
	if slices.ContainsFunc(i.Rows, func(r mishap.Row) bool { return r.Of != "" }) {
		text += " All requests: those too that cannot meet the fault."
	}
	return text
}

// rowCharts show how the interval of each row closed in on its margin.
func (f *film) rowCharts() []plot.Chart {
	looks := f.looks(mishap.InHold)
	if len(looks) == 0 || looks[len(looks)-1].Intervals == nil {
		return nil
	}
	var all []plot.Chart
	for i, r := range looks[len(looks)-1].Intervals.Rows {
		c := f.rowChart(fmt.Sprintf("interval-%d", i), report.Row{Row: r}, looks)
		if len(c.Lines[0].Points) > 1 { // one is in the picture above
			all = append(all, c)
		}
	}
	return all
}

func (f *film) rowChart(id string, last report.Row, looks []*mishap.Comparison) plot.Chart {
	band, line := plot.Band{Name: "where the difference lies", Class: "interval"}, plot.Line{Name: "estimate", Class: "experiment"}
	var gaps []mishap.Interval
	for _, look := range looks {
		for _, r := range rowsOf(look) {
			if r.Metric != last.Metric || r.What != last.What {
				continue
			}
			low, _ := r.Scaled(r.More.Low)
			high, _ := r.Scaled(r.More.High)
			at, _ := r.Scaled(r.More.Estimate)
			x := f.end(look)
			gaps = append(gaps, mishap.Interval{Low: low, Estimate: at, High: high})
			band.Points = append(band.Points, plot.Range{X: x, Low: low, High: high})
			line.Points = append(line.Points, plot.Point{X: x, Y: at})
		}
	}
	margin, unit := last.Scaled(last.Margin)
	low, high := span2(gaps, margin)
	return plot.Chart{
		ID: id, Title: last.Name() + ": more in the experiment than in control", Says: words.Sentence(last.Spoken()) + " " + words.Sentence(last.Standing()),
		X:     timeAxis(f.axisName(), 0, room*f.end(looks[len(looks)-1])),
		Y:     plot.Axis{Min: low, Max: high, Ticks: plot.Ticks(low, high, 5), Format: func(v float64) string { return signed(v) + unit }},
		Rules: []plot.Rule{{Name: "margin " + last.Limit(), Class: "limit", At: margin}}, Bands: []plot.Band{band}, Lines: []plot.Line{line},
	}
}

// rowsOf are the rows of a look, if it has any.
func rowsOf(look *mishap.Comparison) (all []report.Row) {
	if look.Intervals == nil {
		return nil
	}
	for _, r := range look.Intervals.Rows {
		all = append(all, report.Row{Row: r})
	}
	return all
}
