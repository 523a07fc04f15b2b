package report

import (
	"fmt"
	"io"

	"mishap"
	"mishap/internal/report/words"
)

// Beside is two runs beside each other.
type Beside struct {
	Runs    [2]Side  `json:"runs"`
	Effects []Shift  `json:"effects"` // of the metrics that both runs have
	Changed []Change `json:"changed"` // between the two experiments
}

// Shift is how the effect on a metric differs: the second run's against the
// first's. The interval holds if those of both runs do.
type Shift struct {
	Metric string           `json:"metric"`
	Shift  *mishap.Interval `json:"shift"` // of differences as they are, of ratios as a ratio; null if a run has none
	Ratio  bool             `json:"ratio"`
	Clear  bool             `json:"clear"` // the interval rules out that there is no shift
	Words  string           `json:"words"`
}

// Compare sets two runs, of one experiment or of two, beside each other.
func Compare(first, second *mishap.Run) Beside {
	b := Beside{Runs: [2]Side{sideOf(first), sideOf(second)}, Effects: []Shift{}, Changed: changed(first.Plan, second.Plan)}
	for _, e := range b.Runs[0].Effects {
		if m, ok := b.Runs[1].metrics[e.Metric]; ok {
			b.Effects = append(b.Effects, shift(b.Runs[0].metrics[e.Metric], m))
		}
	}
	return b
}

// shift compares the effects on one metric. The bounds are those furthest
// apart, so that they hold whenever both intervals do.
func shift(first, second Metric) Shift {
	s := Shift{Metric: first.Name, Words: "no interval to compare"}
	switch {
	case first.Difference != nil && second.Difference != nil:
		a, b := first.Difference, second.Difference
		s.Shift = &mishap.Interval{Low: b.Low - a.High, Estimate: b.Estimate - a.Estimate, High: b.High - a.Low}
		s.Clear = s.Shift.Low > 0 || s.Shift.High < 0
		scale, unit, more, less := 1., "", "higher", "lower"
		if first.Spec.Metric == mishap.SuccessRate {
			scale, unit, more, less = 100, " pp", "more fail", "fewer fail"
		}
		s.Words = words.Side(s.Shift.Estimate*scale, unit, more, less) + " (" + words.Sides(s.Shift.Low*scale, s.Shift.High*scale, unit, more, less) + ")"
	case first.Ratio != nil && second.Ratio != nil && first.Ratio.Low > 0 && first.Ratio.Estimate > 0:
		a, b := first.Ratio, second.Ratio
		s.Ratio = true
		s.Shift = &mishap.Interval{Low: b.Low / a.High, Estimate: b.Estimate / a.Estimate, High: b.High / a.Low}
		s.Clear = s.Shift.Low > 1 || s.Shift.High < 1
		s.Words = times(s.Shift, "more", "less")
	default:
		return s
	}
	if !s.Clear {
		s.Words += "; it may be chance"
	}
	return s
}

// Text writes both runs beside each other, as wide as w has room.
func (b Beside) Text(w io.Writer) error {
	p := newPage(w)
	row := func(what, first, second string) {
		if first != "" || second != "" {
			p.row(0, []int{15, (p.columns - 20) / 2}, what, words.OrElse(first, "-"), words.OrElse(second, "-"))
		}
	}
	of := func(f func(Side) string) (string, string) { return f(b.Runs[0]), f(b.Runs[1]) }
	both := func(what string, f func(Side) string) {
		first, second := of(f)
		row(what, first, second)
	}
	row("", "FIRST", "SECOND")
	both("run", func(s Side) string { return s.Run })
	both("experiment", func(s Side) string { return s.Experiment })
	both("began", func(s Side) string { return words.Moment(s.Began) })
	both("verdict", func(s Side) string { return s.Standing() })
	both("why", func(s Side) string { return s.Reason })
	both("effect", Side.Effect)
	both("proof of harm", func(s Side) string { return share(s.Harm) })
	both("of no harm", func(s Side) string { return share(s.Clear) })
	both("extra failed", func(s Side) string {
		if s.Extra == nil {
			return ""
		}
		return fmt.Sprintf("%.0f requests", *s.Extra)
	})
	both("recovered in", Side.RecoveredIn)
	both("cost", func(s Side) string {
		if s.Cost == nil {
			return ""
		}
		return words.Joined(" ", words.Money(s.Cost.Amount), s.Cost.Currency) + ", estimated"
	})
	both("commit", Side.Origin)
	b.shifts(p)
	b.changes(p)
	return p.to(w)
}

// share is a proof that may be absent.
func share(v *float64) string {
	if v == nil {
		return ""
	}
	return words.Proof(*v)
}

// shifts say how the second run's effects differ from the first's.
func (b Beside) shifts(p *page) {
	if len(b.Effects) == 0 {
		return
	}
	p.heading("the second against the first")
	for _, s := range b.Effects {
		p.line(2, "%s: %s", s.Metric, s.Words)
	}
	if text := b.recovery(); text != "" {
		p.line(2, "%s", text)
	}
}

// recovery says which run recovered sooner, if that is known: both times are
// ranges.
func (b Beside) recovery() string {
	first, second := b.Runs[0], b.Runs[1]
	if first.Recovery == nil || second.Recovery == nil {
		return ""
	}
	for word, r := range map[string][2]Side{"later": {first, second}, "sooner": {second, first}} {
		least, most := (*r[1].RecoveryAfter - *r[0].Recovery).Std(), (*r[1].Recovery - *r[0].RecoveryAfter).Std()
		switch {
		case least > 0 && words.Took(least) == words.Took(most):
			return fmt.Sprintf("recovered %s %s", words.Took(least), word)
		case least > 0:
			return fmt.Sprintf("recovered %s to %s %s", words.Took(least), words.Took(most), word)
		}
	}
	return "which recovered sooner is not known: it was looked at too seldom"
}

// mostChanges is how many changes the text lists.
const mostChanges = 40

// changes say what differs between the two experiments.
func (b Beside) changes(p *page) {
	p.heading("what changed")
	if len(b.Changed) == 0 {
		p.line(2, "nothing: the experiment, its targets and its commit are the same")
	}
	for i, c := range b.Changed {
		if i == mostChanges {
			p.line(2, "… and %d more; -o json has them all", len(b.Changed)-i)
			break
		}
		p.line(2, "%s: %s → %s", c.What, words.OrElse(c.From, "not there"), words.OrElse(c.To, "not there"))
	}
}

// JSON writes both runs as one object on one line.
func (b Beside) JSON(w io.Writer) error {
	if err := encodeLine(w, b); err != nil {
		return fmt.Errorf("write comparison as json: %w", err)
	}
	return nil
}

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

// Text writes the trend as a table, as wide as w has room.
func (t Trend) Text(w io.Writer) error {
	p := newPage(w)
	p.line(0, "%s: %s, newest first", t.Experiment, mishap.Plural(int64(len(t.Runs)), "run"))
	p.line(0, "%s", t.Tally())
	p.blank()
	columns := []int{11, 16, 12, -9}
	p.effects(columns, "RUN", "BEGAN, UTC", "VERDICT", "RECOVERED", "EFFECT")
	for _, s := range t.Runs {
		effect := s.Effect()
		if effect == "" && s.Verdict == nil {
			effect = s.Reason
		}
		p.effects(columns, s.Run, s.Began.Format("2006-01-02 15:04"), s.Standing(), s.RecoveredIn(), words.OrElse(effect, "-"))
	}
	return p.to(w)
}

// effects is [page.row] of a table whose last cell is a phrase. Where there is little
// room that has a line of its own, below the others.
func (p *page) effects(widths []int, texts ...string) {
	if !p.narrow() {
		p.row(0, widths, texts...)
		return
	}
	last := len(texts) - 1
	p.row(0, widths[:last-1], texts[:last]...)
	p.line(2, "%s", texts[last])
}

// Tally counts the verdicts.
func (t Trend) Tally() string {
	counts := map[string]int{}
	for _, s := range t.Runs {
		counts[s.Standing()]++
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
	return words.Joined(", ", parts...)
}
