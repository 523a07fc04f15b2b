package html

import (
	"fmt"
	"math"
	"slices"

	"mishap"
	"mishap/internal/plot"
	"mishap/internal/report"
	"mishap/internal/report/words"
)

// room is how much longer an axis is than what is on it, so that its end shows.
const room = 1.02

// end is when the stretch of a look is over.
func (f *film) end(look *mishap.Comparison) float64 { return f.at(look.Start.Add(look.Width.Std())) }

// proofChart is how the proofs of harm and of no harm grew.
func (f *film) proofChart() []plot.Chart {
	looks := f.looks(mishap.InHold)
	if len(looks) == 0 || !report.ByProofs(f.run) {
		return nil
	}
	start := []plot.Point{{}} // nothing is proven when the fault comes
	harm := plot.Line{Name: "proof of harm", Class: "harm", Points: start}
	clear := plot.Line{Name: "proof of no harm beyond the margin", Class: "clear", Points: slices.Clone(start)}
	guarded := false
	for _, look := range looks {
		a := report.ArmsOf(f.run, look)
		x := f.end(look)
		harm.Points = append(harm.Points, plot.Point{X: x, Y: 100 * bounded(a.Harm)})
		clear.Points = append(clear.Points, plot.Point{X: x, Y: 100 * bounded(a.Clear)})
		guarded = guarded || a.Guarded
	}
	last := report.ArmsOf(f.run, looks[len(looks)-1])
	harm.Dots, clear.Dots = len(looks) < fewBins, len(looks) < fewBins
	says := fmt.Sprintf("At 100 %% of either, the question is settled. At the end the proof of harm was at %s", words.Proof(last.Harm))
	c := plot.Chart{
		ID: "proof", Title: "What had been proven, and when", X: timeAxis(f.axisName(), 0, room*f.end(looks[len(looks)-1])),
		Y:     plot.Axis{Max: 112, Ticks: []float64{0, 25, 50, 75, 100}, Format: func(v float64) string { return words.Short(v) + " %" }},
		Rules: []plot.Rule{{Name: "settled", Class: "limit", At: 100}}, Lines: []plot.Line{harm},
	}
	if guarded {
		c.Lines = append(c.Lines, clear)
		says += fmt.Sprintf(", that of no harm at %s", words.Proof(last.Clear))
	}
	c.Says = says + ". " + words.Sentence(sure(f.run.Plan.Experiment.Compare, guarded))
	return []plot.Chart{c}
}

// sure says how often a proof is wrong.
func sure(c *mishap.Compare, guarded bool) string {
	if c == nil || c.Alpha <= 0 {
		return ""
	}
	text := fmt.Sprintf("of 100 runs of a healthy system, at most %s end with a proof of harm", words.Short(100*c.Alpha))
	if guarded {
		text += fmt.Sprintf(", and of 100 with more harm than the margin, at most %s with a proof of none", words.Short(100*mishap.MissedHarm))
	}
	return text + ", however often one looks"
}

func bounded(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return math.Max(0, math.Min(1, v))
}

// differenceCharts show, for each metric that has an interval, how it narrowed.
func (f *film) differenceCharts() []plot.Chart {
	looks := f.looks(mishap.InHold)
	if len(looks) == 0 || !report.ByProofs(f.run) {
		return nil
	}
	var all []plot.Chart
	for i, m := range report.ArmsOf(f.run, looks[len(looks)-1]).Metrics {
		if m.Gap() == nil {
			continue
		}
		if c := f.differenceChart(fmt.Sprintf("difference-%d", i), m, looks); len(c.Lines[0].Points) > 1 { // one is said in words
			all = append(all, c)
		}
	}
	return all
}

func (f *film) differenceChart(id string, m report.Metric, looks []*mishap.Comparison) plot.Chart {
	band, line := plot.Band{Name: "where the truth lies", Class: "interval"}, plot.Line{Name: "best guess", Class: "experiment"}
	var gaps []mishap.Interval
	for _, look := range looks {
		for _, one := range report.ArmsOf(f.run, look).Metrics {
			if gap := one.Gap(); gap != nil && one.Name == m.Name {
				x := f.end(look)
				gaps = append(gaps, *gap)
				band.Points = append(band.Points, plot.Range{X: x, Low: gap.Low, High: gap.High})
				line.Points = append(line.Points, plot.Point{X: x, Y: gap.Estimate})
			}
		}
	}
	unit, title := " %", m.Name+": how much more or less there is in the experiment than in control"
	switch m.Spec.Metric {
	case mishap.SuccessRate:
		unit, title = " pp", "How many more requests fail with the fault than without"
	case mishap.Gauge:
		unit, title = "", m.Name+": how much higher it is in the experiment than in control"
	}
	margin := m.GapMargin()
	low, high := span2(gaps, margin)
	c := plot.Chart{
		ID: id, Title: title, Says: words.Sentence(m.InWords()) + " " + narrowing(m, f.run.Plan.Experiment.Compare),
		X:     timeAxis(f.axisName(), 0, room*f.end(looks[len(looks)-1])),
		Y:     plot.Axis{Min: low, Max: high, Ticks: plot.Ticks(low, high, 5), Format: func(v float64) string { return signed(v) + unit }},
		Rules: []plot.Rule{{Name: "no difference", Class: "none", At: 0}}, Bands: []plot.Band{band}, Lines: []plot.Line{line},
	}
	if !math.IsNaN(margin) {
		c.Rules = append(c.Rules, plot.Rule{Name: "margin " + m.Margin(), Class: "limit", At: margin})
	}
	return c
}

// narrowing says what the range of a picture is, and why it may seem to say
// something else than the proof.
func narrowing(m report.Metric, c *mishap.Compare) string {
	text := "The shaded range narrows as requests come in"
	if c != nil && c.Alpha > 0 {
		text += fmt.Sprintf(", and in %s of 100 runs holds the truth all the time", words.Short(100*(1-c.Alpha)))
	}
	return words.Joined(" ", text+".", words.Sentence(m.Cautious()))
}

// span2 is the extent of a picture of intervals: of those in the later part,
// because the first ones are very wide, and always with none and the margin.
func span2(gaps []mishap.Interval, margin float64) (low, high float64) {
	for i, g := range gaps {
		if i >= len(gaps)/4 || i == len(gaps)-1 {
			low, high = math.Min(low, g.Low), math.Max(high, g.High)
		}
	}
	if !math.IsNaN(margin) {
		low, high = math.Min(low, margin), math.Max(high, margin)
	}
	const most = 1000
	low, high = math.Max(low, -most), math.Min(high, most)
	edge := math.Max((high-low)*0.08, 0.01)
	return low - edge, high + edge
}

func signed(v float64) string {
	if v > 0 {
		return "+" + words.Short(v)
	}
	if v < 0 {
		return "−" + words.Short(-v)
	}
	return "0"
}
