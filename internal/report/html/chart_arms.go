package html

import (
	"fmt"
	"math"
	"strings"
	"time"

	"mishap"
	"mishap/internal/plot"
	"mishap/internal/report"
	"mishap/internal/report/words"
)

// mostBins is how many points a series over time has at most: single seconds
// are too noisy to be read.
const mostBins = 40

// fewBins is below how many points since the fault each is marked: they make no
// line.
const fewBins = 5

// headroom is how much higher a picture is than what is in it: there stand
// the names of its areas.
const headroom = 1.2

// bin is what both arms did in one stretch of a picture.
type bin struct {
	edge      float64 // the last whole width before it
	from, to  float64
	requests  [2]int64
	successes [2]int64
	p50, p99  [2]float64 // sums of seconds times requests
	timed     [2]float64 // requests that those are of
}

// bins are the looks of all phases, a few together.
func (f *film) bins() []bin {
	looks := f.run.Looks
	if len(looks) == 0 {
		return nil
	}
	first, _ := looks[0].Span()
	_, last := looks[len(looks)-1].Span()
	start, end := f.at(first), f.at(last)
	width := max(1, math.Ceil((end-start)/mostBins))
	var all []bin
	for _, look := range looks {
		began, ended := look.Span()
		// Edges lie at whole widths from the injection, so that none straddles it.
		edge := math.Floor(f.at(began)/width+0.1) * width
		if n := len(all); n == 0 || all[n-1].edge != edge {
			all = append(all, bin{edge: edge, from: f.at(began)})
		}
		all[len(all)-1].add(f.run, look)
		all[len(all)-1].to = f.at(ended)
	}
	return all
}

func (b *bin) add(r *mishap.Run, look *mishap.Comparison) {
	counted, timed := false, false
	for _, m := range look.Metrics {
		kind := report.SpecOf(r, m).Metric
		for i, arm := range []mishap.ArmLook{m.Control, m.Experiment} {
			if kind == mishap.SuccessRate && !counted {
				b.requests[i] += arm.Requests
				b.successes[i] += arm.Successes
			}
			if arm.P50 > 0 && !timed {
				n := math.Max(1, float64(arm.Requests))
				b.p50[i] += n * arm.P50.Std().Seconds()
				b.p99[i] += n * arm.P99.Std().Seconds()
				b.timed[i] += n
			}
		}
		counted = counted || kind == mishap.SuccessRate
		timed = timed || m.Control.P50 > 0 || m.Experiment.P50 > 0
	}
}

// over makes a chart of both arms over the whole run.
func (f *film) over(id, title, says string, bins []bin, format func(float64) string, value func(bin, int) float64) plot.Chart {
	lines := []plot.Line{{Name: "control, left alone", Class: "control"}, {Name: "experiment, with fault", Class: "experiment"}}
	top := 0.0
	for n, b := range bins {
		for i := range lines {
			if n > 0 && b.edge >= 0 && bins[n-1].edge < 0 { // no line leads from before the fault to after it
				lines[i].Points = append(lines[i].Points, plot.Point{X: b.from, Y: math.NaN()})
				lines[i].Dots = len(bins)-n < fewBins
			}
			v := value(b, i)
			lines[i].Points = append(lines[i].Points, plot.Point{X: (b.from + b.to) / 2, Y: v})
			if !math.IsNaN(v) {
				top = math.Max(top, v)
			}
		}
	}
	if top == 0 {
		top = 1
	}
	return plot.Chart{
		ID: id, Title: title, Says: says, X: timeAxis(f.axisName(), bins[0].from, math.Max(bins[len(bins)-1].to, f.faultEnd())),
		Y: plot.Axis{Max: top * headroom, Ticks: plot.Ticks(0, top*headroom, 4), Format: format}, Areas: f.faultAreas(), Lines: lines,
	}
}

// armCharts are traffic, failures and latency of both arms over time.
func (f *film) armCharts() []plot.Chart {
	bins := f.bins()
	a := report.Compared(f.run)
	if len(bins) < 2 || a == nil { // one point is in the table
		return nil
	}
	var all []plot.Chart
	if a.Control.Counted {
		says := "Of the requests that got the fault, " + a.Experiment.Succeeded() + " succeeded; of those left alone, " + a.Control.Succeeded() + "."
		all = append(all,
			f.over("failed", "Requests that failed, in each arm", says, bins, func(v float64) string { return level(v) + " %" }, func(b bin, i int) float64 {
				return 100 * float64(b.requests[i]-b.successes[i]) / float64(b.requests[i])
			}),
			f.over("traffic", "Requests per second, in each arm", "Both arms should get about as many. An arm that falls silent counts as harmed.", bins, level, func(b bin, i int) float64 {
				return float64(b.requests[i]) / (b.to - b.from)
			}))
	}
	if a.Control.P50 > 0 || a.Experiment.P50 > 0 {
		says := fmt.Sprintf("Over the whole time with the fault, half of the requests took up to %s with it and %s without.", words.Quick(a.Experiment.P50), words.Quick(a.Control.P50))
		if a.Experiment.P50 == 0 || a.Control.P50 == 0 {
			says = "Where no request succeeded, there is no time."
		}
		all = append(all, f.over("p50", "How long half of the requests took at most (p50), in each arm", says, bins, quickSeconds, func(b bin, i int) float64 { return b.p50[i] / b.timed[i] }))
	}
	return all
}

func quickSeconds(v float64) string {
	if v == 0 {
		return "0"
	}
	text := words.Quick(time.Duration(math.Round(v * float64(time.Second))))
	return strings.Replace(strings.Replace(text, ".00s", "s", 1), ".0s", "s", 1)
}
