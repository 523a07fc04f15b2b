package ci

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"mishap"
	"mishap/internal/report"
	"mishap/internal/report/words"
)

// width is how many columns a line of the summary takes at most: logs of builds
// are wide, and the whole reason stands in the report of its run.
const width = 120

// row is what is said of one run, or of an experiment that did not run.
type row struct {
	word, name, took, run, why string
	file                       string
	red                        bool // it is why the build fails
}

// rows are those of a suite, in its order; what did not run comes last.
func rows(s report.Suite) (all []row) {
	for _, r := range s.Runs {
		e := r.Plan.Experiment
		one := row{word: Word(r), name: words.Clean(e.Name), run: words.Clean(r.ID), took: "-", file: e.Source.File, red: !s.Passes(r)}
		if !r.EndedAt.IsZero() {
			one.took = words.Took(words.Between(r.PlannedAt, r.EndedAt))
		}
		if one.word != string(mishap.Held) {
			_, reason := mishap.Judge(r)
			one.why = words.Clean(reason)
		}
		all = append(all, one)
	}
	for _, e := range s.NotRun {
		all = append(all, row{word: "not run", name: words.Clean(e.Name), took: "-", run: "-", why: words.Clean(s.Why), file: e.Source.File})
	}
	return all
}

// Word is how a run ended, in one word or two.
func Word(r *mishap.Run) string {
	verdict, _ := mishap.Judge(r)
	switch outcome := mishap.OutcomeOf(r); {
	case outcome == mishap.OutcomeInternal:
		return "failed"
	case outcome == mishap.OutcomeInterrupted:
		return "interrupted"
	case verdict != mishap.NoVerdict:
		return string(verdict)
	}
	return string(r.State)
}

// counted says how many rows there are of each word: "2 held, 1 refused".
func counted(all []row) string {
	var order []string
	count := map[string]int{}
	for _, r := range all {
		if count[r.word]++; !slices.Contains(order, r.word) {
			order = append(order, r.word)
		}
	}
	var parts []string
	for _, w := range order {
		parts = append(parts, fmt.Sprintf("%d %s", count[w], w))
	}
	return strings.Join(parts, ", ")
}

// Summary writes one line per run, below one that counts them.
func Summary(w io.Writer, s report.Suite) error {
	all := rows(s)
	var took time.Duration
	columns := struct{ word, name, took, run int }{}
	for _, r := range all {
		columns.word, columns.name = max(columns.word, words.Cells(r.word)), max(columns.name, words.Cells(r.name))
		columns.took, columns.run = max(columns.took, words.Cells(r.took)), max(columns.run, words.Cells(r.run))
	}
	for _, r := range s.Runs {
		if !r.EndedAt.IsZero() {
			took += words.Between(r.PlannedAt, r.EndedAt)
		}
	}
	var out strings.Builder
	fmt.Fprintf(&out, "\n%s in %s: %s\n", mishap.Plural(int64(len(all)), "experiment"), words.Took(took), counted(all))
	for _, r := range all {
		line := fmt.Sprintf("  %s  %s  %s  %s  %s", words.Pad(r.word, columns.word), words.Pad(r.name, columns.name),
			words.Pad(r.took, columns.took), words.Pad(r.run, columns.run), r.why)
		if words.Cells(line) > width {
			line = words.Fit(line, width-1) + "…"
		}
		out.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	_, err := io.WriteString(w, out.String())
	return err
}
