package html

import (
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"time"

	"mishap"
	"mishap/internal/plot"
	"mishap/internal/report"
	"mishap/internal/report/words"
)

// trendView is a trend as its page shows it.
type trendView struct {
	report.Trend
	Count    string
	Tally    string
	Rows     []trendRow
	Pictures []template.HTML
	Version  string
}

type trendRow struct {
	Run, Began, Recovered, Effect, Commit, Reason string
	Link                                          string // to its page; empty: it has none
	Badge                                         badge
}

// Trend writes a trend as one page that opens offline, as [Run] does a run.
func Trend(w io.Writer, t report.Trend, version string) error {
	return writePage(w, "trend", viewOfTrend(t, version))
}

func viewOfTrend(t report.Trend, version string) trendView {
	v := trendView{Trend: t, Count: mishap.Plural(int64(len(t.Runs)), "run"), Tally: t.Tally(), Version: version}
	v.Experiment = words.Clean(t.Experiment)
	for _, s := range t.Runs {
		recovered := "" // on a phone a cell with nothing in it takes no line
		if s.Recovery != nil {
			recovered = s.RecoveredIn()
		}
		v.Rows = append(v.Rows, trendRow{words.Clean(s.Run), words.Moment(s.Began), recovered, words.Clean(s.Effect()), words.Clean(s.Origin()), words.Clean(s.Reason), "", badgeFor(s.Standing())})
	}
	v.Pictures = drawn(trendPictures(t))
	return v
}

// pictures show effect and recovery from run to run, oldest first.
func trendPictures(t report.Trend) []plot.Chart {
	all := effectPictures(t)
	extra := trendLine(t, "extra failed requests", "experiment", func(s report.Side) (float64, bool) {
		if s.Extra == nil {
			return 0, false
		}
		return *s.Extra, true
	})
	if severalPoints(extra) {
		all = append(all, trendPicture(t, "extra", "Extra failed requests in each run", extra, words.Short))
	}
	recovery := trendLine(t, "time until the system was back to normal", "control", func(s report.Side) (float64, bool) {
		if s.Recovery == nil {
			return 0, false
		}
		return s.Recovery.Std().Seconds(), true
	})
	if severalPoints(recovery) {
		all = append(all, trendPicture(t, "recovery", "Recovery time of each run", recovery, quickSeconds))
	}
	return all
}

// severalPoints reports a line that is worth a picture: one point is a number.
func severalPoints(l plot.Line) bool {
	known := 0
	for _, p := range l.Points {
		if !math.IsNaN(p.Y) {
			known++
		}
	}
	return known > 1
}

// trendLine is one number of each run that has it; what lies between runs is only
// drawn where no run without it is between them.
func trendLine(t report.Trend, name, class string, value func(report.Side) (float64, bool)) plot.Line {
	l := plot.Line{Name: name, Class: class, Dots: true}
	for i := range t.Runs {
		v, known := value(t.Runs[len(t.Runs)-1-i])
		switch {
		case known:
			l.Points = append(l.Points, plot.Point{X: float64(i), Y: v})
		case l.Points != nil:
			l.Points = append(l.Points, plot.Point{X: float64(i), Y: math.NaN()})
		}
	}
	return l
}

// effectPictures show, for each metric with an interval in the newest run that
// has one, the difference between the arms in each run.
func effectPictures(t report.Trend) []plot.Chart {
	var names []string
	for _, s := range t.Runs {
		for _, e := range s.Effects {
			if e.Difference != nil || e.Ratio != nil {
				names = append(names, e.Metric)
			}
		}
		if names != nil {
			break
		}
	}
	var all []plot.Chart
	for i, name := range names {
		bars := plot.Band{Name: "where the truth lies", Class: "experiment"}
		unit := " %"
		l := trendLine(t, "difference between the arms", "experiment", func(s report.Side) (float64, bool) {
			gap := s.Metric(name).Gap()
			if gap == nil {
				return 0, false
			}
			return gap.Estimate, true
		})
		if !severalPoints(l) {
			continue
		}
		var gaps []mishap.Interval
		for j := range t.Runs {
			m := t.Runs[len(t.Runs)-1-j].Metric(name)
			if gap := m.Gap(); gap != nil {
				gaps = append(gaps, *gap)
				bars.Points = append(bars.Points, plot.Range{X: float64(j), Low: gap.Low, High: gap.High})
				unit = unitOf(m)
			}
		}
		c := trendPicture(t, fmt.Sprintf("effect-%d", i), words.Clean(name)+": how the experiment differed from control in each run", l, nil)
		low, high := span2(gaps, math.NaN())
		c.Y = plot.Axis{Min: low, Max: high, Ticks: plot.Ticks(low, high, 4), Format: func(v float64) string { return signed(v) + unit }}
		c.Says, c.Bars = "Where the upright line of a run touches none, its difference may be chance.", []plot.Band{bars}
		c.Rules = []plot.Rule{{Name: "no difference", At: 0}}
		all = append(all, c)
	}
	return all
}

// unit is that of the difference in a picture.
func unitOf(m report.Metric) string {
	switch m.Spec.Metric {
	case mishap.SuccessRate:
		return " pp"
	case mishap.Gauge:
		return ""
	}
	return " %"
}

// picture is one number over the runs.
func trendPicture(t report.Trend, id, title string, l plot.Line, format func(float64) string) plot.Chart {
	top := 0.0
	for _, p := range l.Points {
		if !math.IsNaN(p.Y) {
			top = math.Max(top, p.Y)
		}
	}
	if top == 0 {
		top = 1
	}
	c := plot.Chart{
		ID: id, Title: title, Lines: []plot.Line{l},
		X: runsAxis(t),
	}
	if format != nil {
		c.Says = fmt.Sprintf("From the oldest of %s to the newest; at most %s.", mishap.Plural(int64(len(t.Runs)), "run"), format(top))
		c.Y = plot.Axis{Max: top * 1.15, Ticks: plot.Ticks(0, top*1.15, 4), Format: format}
	}
	return c
}

// runsAxis says when runs began, no moment twice: by day, or by time if all were on one.
func runsAxis(t report.Trend) plot.Axis {
	n := len(t.Runs)
	layout, name := "2 Jan", "day of the run"
	if oldest, newest := t.Runs[n-1].Began.UTC(), t.Runs[0].Began.UTC(); n > 1 && oldest.Format(time.DateOnly) == newest.Format(time.DateOnly) {
		layout, name = "15:04", "time of the run, UTC, on "+newest.Format("2 January")
	}
	began := func(v float64) string { return t.Runs[n-1-int(v)].Began.UTC().Format(layout) }
	ticks := slices.CompactFunc(someOf(n), func(a, b float64) bool { return began(a) == began(b) })
	return plot.Axis{Name: name, Min: -0.4, Max: float64(n) - 0.6, Ticks: ticks, Format: began}
}

// someOf are at most three places among so many: the first, the last, and one
// between.
func someOf(n int) []float64 {
	switch n {
	case 0:
		return nil
	case 1:
		return []float64{0}
	case 2:
		return []float64{0, 1}
	}
	return []float64{0, float64((n - 1) / 2), float64(n - 1)}
}
