package report

import (
	"fmt"
	"html/template"
	"io"
	"math"

	"mishap"
	"mishap/internal/plot"
)

// Trend is the runs of one experiment, newest first.
type Trend struct {
	Experiment string `json:"experiment"`
	Runs       []Side `json:"runs"`
}

// TrendOf makes one of runs that are given newest first.
func TrendOf(experiment string, runs []*mishap.Run) Trend {
	t := Trend{Experiment: experiment, Runs: []Side{}}
	for _, r := range runs {
		t.Runs = append(t.Runs, sideOf(r))
	}
	return t
}

// JSON writes the trend as one object on one line.
func (t Trend) JSON(w io.Writer) error {
	if err := encodeLine(w, t); err != nil {
		return fmt.Errorf("write trend of %s as json: %w", t.Experiment, err)
	}
	return nil
}

// Text writes the trend as a table, at most 80 columns wide.
func (t Trend) Text(w io.Writer) error {
	p := &page{}
	p.line(0, "%s: %s, newest first", t.Experiment, plural(int64(len(t.Runs)), "run"))
	p.line(0, "%s", t.tally())
	p.blank()
	columns := []int{11, 16, 12, -9}
	p.row(0, columns, "RUN", "BEGAN, UTC", "VERDICT", "RECOVERED", "EFFECT")
	for _, s := range t.Runs {
		effect := s.effect()
		if effect == "" && s.Verdict == nil {
			effect = s.Reason
		}
		p.row(0, columns, s.Run, s.Began.Format("2006-01-02 15:04"), s.standing(), s.recovery(), orElse(effect, "-"))
	}
	return p.to(w)
}

// tally counts the verdicts.
func (t Trend) tally() string {
	counts := map[string]int{}
	for _, s := range t.Runs {
		counts[s.standing()]++
	}
	var parts []string
	for _, name := range []string{string(mishap.Held), string(mishap.Deviated), string(mishap.Inconclusive)} {
		parts = append(parts, fmt.Sprintf("%d %s", counts[name], name))
		delete(counts, name)
	}
	others := 0
	for _, n := range counts {
		others += n
	}
	if others > 0 {
		parts = append(parts, fmt.Sprintf("%d without a verdict", others))
	}
	return joined(", ", parts...)
}

// trendView is a trend as its page shows it.
type trendView struct {
	Trend
	Count    string
	Tally    string
	Rows     []trendRow
	Pictures []template.HTML
	Version  string
}

type trendRow struct {
	Run, Began, Recovered, Effect, Commit, Reason string
	Badge                                         badge
}

// HTML writes the trend as one page that opens offline, as [HTML] does a run.
func (t Trend) HTML(w io.Writer, version string) error {
	v := trendView{Trend: t, Count: plural(int64(len(t.Runs)), "run"), Tally: t.tally(), Version: version}
	v.Experiment = clean(t.Experiment)
	for _, s := range t.Runs {
		b := badge{"inconclusive", "–", s.standing(), ""}
		switch {
		case s.Verdict == nil:
		case *s.Verdict == mishap.Held:
			b.Class, b.Sign = "held", "✓"
		case *s.Verdict == mishap.Deviated:
			b.Class, b.Sign = "deviated", "✗"
		default:
			b.Sign = "?"
		}
		v.Rows = append(v.Rows, trendRow{clean(s.Run), moment(s.Began), s.recovery(), clean(orElse(s.effect(), "–")), clean(s.origin()), clean(s.Reason), b})
	}
	v.Pictures = drawn(t.pictures())
	return writePage(w, "trend", v)
}

// pictures show effect and recovery from run to run, oldest first.
func (t Trend) pictures() []plot.Chart {
	effect := plot.Line{Name: "extra failed requests", Class: "experiment"}
	recovery := plot.Line{Name: "time until the system was back to normal", Class: "control"}
	for i := range t.Runs {
		s := t.Runs[len(t.Runs)-1-i]
		point := plot.Point{X: float64(i), Y: math.NaN()}
		if s.Extra != nil {
			point.Y = *s.Extra
			effect.Points = append(effect.Points, point)
		}
		if s.Recovery != nil {
			point.Y = s.Recovery.Std().Seconds()
			recovery.Points = append(recovery.Points, point)
		}
	}
	var all []plot.Chart
	if effect.Points != nil {
		all = append(all, t.picture("effect", "Extra failed requests in each run", effect, short))
	}
	if recovery.Points != nil {
		all = append(all, t.picture("recovery", "Recovery time of each run", recovery, quickSeconds))
	}
	return all
}

func (t Trend) picture(id, title string, l plot.Line, format func(float64) string) plot.Chart {
	top := 0.0
	for _, p := range l.Points {
		top = math.Max(top, p.Y)
	}
	if top == 0 {
		top = 1
	}
	last := math.Max(1, float64(len(t.Runs)-1))
	return plot.Chart{
		ID: id, Title: title, Says: fmt.Sprintf("From the oldest of %s to the newest; at most %s.", plural(int64(len(t.Runs)), "run"), format(top)),
		X: plot.Axis{Name: "day of the run", Max: last, Ticks: someOf(len(t.Runs)), Format: func(v float64) string {
			if i := len(t.Runs) - 1 - int(v); i >= 0 && i < len(t.Runs) {
				return t.Runs[i].Began.Format("2 Jan 15:04")
			}
			return ""
		}},
		Y: plot.Axis{Max: top * 1.15, Ticks: plot.Ticks(0, top*1.15, 4), Format: format}, Lines: []plot.Line{l},
	}
}

// someOf are at most four places among so many.
func someOf(n int) []float64 {
	var some []float64
	for i := range min(4, n) {
		some = append(some, float64(i*(n-1)/max(1, min(4, n)-1)))
	}
	return some
}
