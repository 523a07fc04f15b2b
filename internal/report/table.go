package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"mishap"
)

// List writes a table of experiments, each with its claim.
func List(w io.Writer, experiments []mishap.Experiment) error {
	p := &page{}
	if len(experiments) == 0 {
		p.line(0, "no experiments")
		return p.to(w)
	}
	columns := []int{38, 22}
	p.row(0, columns, "EXPERIMENT", "INJECTORS", "AT MOST")
	for _, e := range experiments {
		var used []string
		for _, f := range e.Faults {
			used = append(used, f.Injector)
		}
		p.row(0, columns, e.Name, strings.Join(used, ", "), took(e.Longest()))
		p.line(2, "%s", e.Claim)
		p.line(2, "%s", e.Source.File)
	}
	return p.to(w)
}

// Status writes a table of runs, in the order given, and below each what is or
// may still be in.
func Status(w io.Writer, runs []*mishap.Run, now time.Time) error {
	p := &page{}
	if len(runs) == 0 {
		p.line(0, "no runs yet")
		return p.to(w)
	}
	columns := []int{14, 31, 9, 12}
	p.row(0, columns, "RUN", "EXPERIMENT", "STATE", "VERDICT", "SINCE")
	for _, r := range runs {
		verdict, _ := mishap.Judge(r)
		p.row(0, columns, r.ID, r.Plan.Experiment.Name, string(r.State), orElse(string(verdict), "-"), ago(between(since(r), now)))
		left := r.Outstanding()
		for _, in := range left {
			p.line(2, "%s: %s, %s", inWords(r), on(in), in.State)
		}
		if r.State == mishap.Stranded {
			p.line(2, "to end it: mishap revert %s", r.ID)
		}
	}
	return p.to(w)
}

// inWords is loud about what nobody takes out any more.
func inWords(r *mishap.Run) string {
	if r.State == mishap.Stranded {
		return "STILL IN"
	}
	return "in"
}

// since is when the run came to the state that it is in, as far as it remembers.
func since(r *mishap.Run) time.Time {
	at := r.PlannedAt
	for _, t := range []time.Time{r.InjectedAt, r.HoldingAt, r.RevertingAt, r.RevertedAt, r.EndedAt} {
		if t.After(at) {
			at = t
		}
	}
	return at
}

// ago is a time in the past, roughly.
func ago(d time.Duration) string {
	switch {
	case d < time.Second:
		return "now"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}
