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

// Wide is how many columns a log of a build has room for.
const Wide = 120

// row is what is said of one run, or of an experiment that did not run.
type row struct {
	word, name, took, run, why string
	file                       string
	page                       string // its address; empty if it has none
	red                        bool   // it is why the build fails
}

// rows are those of a suite, in its order; what did not run comes last.
func rows(s report.Suite) (all []row) {
	for _, r := range s.Runs {
		e := r.Plan.Experiment
		one := row{word: Word(r), name: words.Clean(e.Name), run: words.Clean(r.ID), took: "-", file: e.Source.File, red: !s.Passes(r)}
		if s.Page != nil {
			one.page = words.Clean(s.Page(r.ID))
		}
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

// Summary writes one line per run, of so many columns at most, below one that counts
// them. The whole reason stands in the report of its run.
func Summary(w io.Writer, s report.Suite, columns int) error {
	all := rows(s)
	var took time.Duration
	width := struct{ word, name, took, run int }{}
	for _, r := range all {
		width.word, width.name = max(width.word, words.Cells(r.word)), max(width.name, words.Cells(r.name))
		width.took, width.run = max(width.took, words.Cells(r.took)), max(width.run, words.Cells(r.run))
	}
	for _, r := range s.Runs {
		if !r.EndedAt.IsZero() {
			took += words.Between(r.PlannedAt, r.EndedAt)
		}
	}
	var out strings.Builder
	fmt.Fprintf(&out, "\n%s in %s: %s\n", mishap.Plural(int64(len(all)), "experiment"), words.Took(took), counted(all))
	for _, r := range all {
		line := fmt.Sprintf("  %s  %s  %s  %s  %s", words.Pad(r.word, width.word), words.Pad(r.name, width.name),
			words.Pad(r.took, width.took), words.Pad(r.run, width.run), r.why)
		if words.Cells(line) > columns {
			line = words.Fit(line, columns-1) + "…"
		}
		out.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	_, err := io.WriteString(w, out.String())
	return err
}
