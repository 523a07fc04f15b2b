package html

import (
	"fmt"
	"math"

	"mishap"
	"mishap/internal/plot"
	"mishap/internal/report"
	"mishap/internal/report/words"
)

// histogram is that of one arm over a whole phase.
type histogram struct {
	bounds []float64
	counts []int64
}

// histograms are those of both arms in the last look of a phase that has them.
func (f *film) histograms(phase mishap.ComparisonPhase) (control, experiment histogram, ok bool) {
	for _, look := range f.looks(phase) {
		for _, m := range look.Metrics {
			c, e := m.Total.Control, m.Total.Experiment
			if sound(c) && sound(e) {
				control, experiment, ok = histogram{c.Bounds, c.Counts}, histogram{e.Bounds, e.Counts}, true
			}
		}
	}
	return control, experiment, ok
}

// sound reports whether an arm has a histogram that can be drawn.
func sound(a mishap.ArmLook) bool {
	if len(a.Bounds) == 0 || len(a.Counts) != len(a.Bounds)+1 || a.Bounds[0] <= 0 {
		return false
	}
	last, all := 0.0, int64(0)
	for i, n := range a.Counts {
		if n < 0 || i < len(a.Bounds) && !(a.Bounds[i] > last) {
			return false
		}
		if i < len(a.Bounds) {
			last = a.Bounds[i]
		}
		all += n
	}
	return all > 0
}

func (h histogram) all() (n int64) {
	for _, c := range h.counts {
		n += c
	}
	return n
}

// curve is the share of requests, in percent, that succeeded within a time.
func (h histogram) curve() []plot.Point {
	var points []plot.Point
	below, all := int64(0), h.all()
	for i, bound := range h.bounds {
		below += h.counts[i]
		points = append(points, plot.Point{X: bound, Y: 100 * float64(below) / float64(all)})
	}
	return points
}

// failed is beyond the last bound, where those that failed are counted.
const failed = "failed"

// within is the time in which a share of the requests succeeded: the upper
// edge of the bin that it lies in. The last bin has none.
func (h histogram) within(share float64) string {
	below, all := int64(0), h.all()
	for i, bound := range h.bounds {
		if below += h.counts[i]; float64(below) >= share*float64(all)-1e-9 {
			return quickSeconds(bound)
		}
	}
	return failed
}

// span is the bin that a share of the requests lies in: more is not known of it.
func (h histogram) span(share float64) string {
	text := h.within(share)
	for i, bound := range h.bounds {
		if text != failed && quickSeconds(bound) == text && i > 0 {
			return quickSeconds(h.bounds[i-1]) + " to " + text
		}
	}
	if text != failed {
		return "up to " + text
	}
	return text
}

// spoken is how fast requests succeeded, in words.
func (h histogram) spoken(where string) string {
	half, most := h.within(.5), h.within(.99)
	switch {
	case most != failed:
		return fmt.Sprintf("%s, half of the requests succeeded within %s, and 99 of 100 within %s", where, half, most)
	case half != failed:
		return fmt.Sprintf("%s, half of the requests succeeded within %s, and fewer than 99 of 100 at all", where, half)
	case h.counts[len(h.counts)-1] == h.all():
		return where + ", no request succeeded"
	}
	return where + ", not even half of the requests succeeded"
}

// latencyCharts are the latencies of both arms while the fault was in force.
func (f *film) latencyCharts() []plot.Chart {
	control, experiment, ok := f.histograms(mishap.InHold)
	if !ok {
		return nil
	}
	lines := []plot.Line{
		{Name: "control, left alone", Class: "control", Points: control.curve()},
		{Name: "experiment, with fault", Class: "experiment", Points: experiment.curve()},
	}
	if _, before, ok := f.histograms(mishap.InBaseline); ok {
		lines = append(lines, plot.Line{Name: "experiment, before any fault", Class: "before", Points: before.curve()})
	}
	low, high := interesting(lines)
	return []plot.Chart{{
		ID: "latency", Title: "How many requests succeeded within what time",
		Says:  words.Sentence(experiment.spoken("with the fault")) + " " + words.Sentence(control.spoken("without it")) + " Slower is further to the right.",
		X:     plot.Axis{Name: "time to the answer", Min: low, Max: high, Log: true, Ticks: plot.LogTicks(low, high), Format: quickSeconds},
		Y:     plot.Axis{Max: 105, Ticks: []float64{0, 25, 50, 75, 100}, Format: func(v float64) string { return words.Short(v) + " %" }},
		Lines: lines,
	}}
}

// interesting is the part of the axis in which curves rise.
func interesting(lines []plot.Line) (low, high float64) {
	low, high = math.Inf(1), 0
	for _, l := range lines {
		top := l.Points[len(l.Points)-1].Y
		for i, p := range l.Points {
			if p.Y > 0.05 {
				low = math.Min(low, l.Points[max(0, i-1)].X)
			}
			if high = math.Max(high, p.X); p.Y > top-0.05 {
				break
			}
		}
	}
	if !(low < high) {
		low = high / 2
	}
	return low, high
}

// quantileRow is one line of the table of latencies.
type quantileRow struct{ Share, Control, Experiment string }

// quantileRows are the latencies of both arms in numbers.
func (f *film) quantileRows() []quantileRow {
	control, experiment, ok := f.histograms(mishap.InHold)
	if !ok {
		return nil
	}
	var rows []quantileRow
	for _, q := range []struct {
		share float64
		name  string
	}{{.5, "half of all (p50)"}, {.9, "9 of 10 (p90)"}, {.99, "99 of 100 (p99)"}, {.999, "999 of 1000 (p99.9)"}} {
		rows = append(rows, quantileRow{q.name, control.span(q.share), experiment.span(q.share)})
	}
	return rows
}

// delayCharts show, for each fault that delays, the delay that was asked for
// beside the one that was delivered.
func (f *film) delayCharts() []plot.Chart {
	var all []plot.Chart
	for i, in := range f.run.Injections {
		var half, tail plot.Line
		var last *mishap.Traffic
		for _, e := range f.effects {
			if t := e.Traffic; e.Injection == in.ID && t != nil && t.Requested > 0 && t.Count > 0 {
				at := e.at
				if !in.SettledAt.IsZero() { // told later, it is of no more than that
					at = math.Min(at, f.at(in.SettledAt))
				}
				half.Points = append(half.Points, plot.Point{X: at, Y: t.P50.Std().Seconds()})
				tail.Points = append(tail.Points, plot.Point{X: at, Y: t.P99.Std().Seconds()})
				last = t
			}
		}
		if last != nil && half.Points[0].X < half.Points[len(half.Points)-1].X { // one moment is said with its fault
			half.Dots, tail.Dots = len(half.Points) < fewBins, len(half.Points) < fewBins
			half.Name, half.Class, tail.Name, tail.Class = "half of the traffic got at most (p50)", "half", "99 of 100 got at most (p99)", "tail"
			all = append(all, f.delayChart(fmt.Sprintf("delay-%d", i), in, last, half, tail))
		}
	}
	return all
}

func (f *film) delayChart(id string, in *mishap.RunInjection, last *mishap.Traffic, half, tail plot.Line) plot.Chart {
	asked := last.Requested.Std().Seconds()
	top := asked
	for _, p := range tail.Points {
		top = math.Max(top, p.Y)
	}
	return plot.Chart{
		ID: id, Title: in.Fault + ": the delay asked for, and the delay delivered",
		Says: fmt.Sprintf("Asked for: %s. Delivered to %s: at most %s to half of them, %s to 99 of 100, and %s to all.",
			last.Requested, report.FeltBy(last), words.Quick(last.P50.Std()), words.Quick(last.P99.Std()), words.Quick(last.Max.Std())),
		X:     timeAxis(f.axisName(), math.Min(0, half.Points[0].X), room*math.Max(half.Points[len(half.Points)-1].X, f.faultEnd())),
		Y:     plot.Axis{Max: top * headroom, Ticks: plot.Ticks(0, top*headroom, 4), Format: quickSeconds},
		Rules: []plot.Rule{{Name: "asked for", Class: "asked", At: asked}}, Lines: []plot.Line{half, tail},
	}
}
