package report

import (
	"fmt"
	"io"

	"mishap"
	"mishap/internal/report/words"
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
	p.line(0, "%s: %s, newest first", t.Experiment, mishap.Plural(int64(len(t.Runs)), "run"))
	p.line(0, "%s", t.Tally())
	p.blank()
	columns := []int{11, 16, 12, -9}
	p.row(0, columns, "RUN", "BEGAN, UTC", "VERDICT", "RECOVERED", "EFFECT")
	for _, s := range t.Runs {
		effect := s.Effect()
		if effect == "" && s.Verdict == nil {
			effect = s.Reason
		}
		p.row(0, columns, s.Run, s.Began.Format("2006-01-02 15:04"), s.Standing(), s.RecoveredIn(), words.OrElse(effect, "-"))
	}
	return p.to(w)
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
