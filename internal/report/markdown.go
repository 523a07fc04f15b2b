package report

import (
	"fmt"
	"io"
	"strings"

	"mishap"
	"mishap/internal/report/words"
)

// Markdown writes a run for a pull request, an issue or a wiki: what decides first,
// and what else there is folded away below it. Page is the address of the run's page;
// empty if it has none.
func Markdown(w io.Writer, r *mishap.Run, page string) error {
	m := &markdown{}
	_, reason := mishap.Judge(r)
	standing := words.StandingOf(r)
	m.line("### %s %s: %s\n", literal(words.SignOf(standing).Emoji), standing, r.Plan.Experiment.Name)
	m.line("> %s\n", r.Plan.Experiment.Claim)
	m.line("**%s**\n", words.OrElse(words.Sentence(reason), words.Sentence(headline(r))))
	for _, text := range Overran(r) {
		m.line("- ❗ too long: %s", text)
	}
	m.left(r)
	m.arms(r)
	for _, name := range faultNames(r) {
		if name != mishap.ArmsFault {
			m.line("- affected: %s", Affected(r, name))
		}
	}
	m.line("- reverted: %s", revertedBriefly(r))
	m.line("- experiment: %s", identity(r))
	m.line("- file: %s\n", source(r.Plan.Experiment.Source))
	m.folded("Timeline, UTC", []string{"when", "since the plan", "what"}, timesInMarkdown(r))
	m.folded("Probes, while faults were in force", []string{"probe", "met", "unmet", "unknown", "allowed"}, probesInMarkdown(r))
	if a := Compared(r); a != nil && a.Intervals != nil {
		var rows [][]string
		for _, text := range a.Intervals.Unclaimed {
			rows = append(rows, []string{text})
		}
		m.folded("Not claimed", []string{"what this run says nothing of"}, rows)
	}
	if page == "" {
		m.line("`mishap report %s` has all of it.", r.ID)
	} else {
		m.line("`mishap report %s` has all of it, and so has %s.", r.ID, literal(words.Link("its page", page)))
	}
	_, err := io.WriteString(w, m.String())
	return err
}

// literal is a text of ours, which is not escaped.
type literal string

// markdown collects lines. Whatever is filled in means itself, whoever wrote it.
type markdown struct{ strings.Builder }

func (m *markdown) line(format string, args ...any) {
	for i, arg := range args {
		if text, is := arg.(string); is {
			args[i] = words.Markdown(words.Clean(text))
		}
	}
	fmt.Fprintf(m, format+"\n", args...)
}

// left is what may still be in force, and what ends it.
func (m *markdown) left(r *mishap.Run) {
	left := r.Outstanding()
	if len(left) == 0 {
		return
	}
	for _, in := range left {
		m.line("- ❗ still in force: %s", words.Joined(": ", On(in)+", "+string(in.State), in.Detail))
	}
	for _, way := range WaysOut(r) {
		m.line("- %s: `%s`", way.When, literal(way.Type))
	}
	m.line("")
}

// arms are both arms, and the intervals that decide.
func (m *markdown) arms(r *mishap.Run) {
	a := Compared(r)
	if a == nil {
		return
	}
	m.table([]string{"", "requests", "succeeded", "p50", "p99"}, [][]string{armRow("control", a.Control), armRow("experiment", a.Experiment)})
	if a.Intervals == nil {
		return
	}
	var rows [][]string
	for _, row := range ToldRows(a.Intervals) {
		rows = append(rows, []string{row.Name(), row.Range(), row.Limit(), row.Standing()})
	}
	m.table([]string{"the experiment against control", "more, right at every look", "margin", ""}, rows)
}

func armRow(name string, a Arm) []string {
	return []string{name, mishap.Thousands(a.Requests), a.Succeeded(), words.Quick(a.P50), words.Quick(a.P99)}
}

func timesInMarkdown(r *mishap.Run) (rows [][]string) {
	for _, e := range Events(r) {
		var when, since string
		if !e.Guess {
			when, since = words.Clock(e.At), "+"+words.Took(words.Between(r.PlannedAt, e.At))
		}
		rows = append(rows, []string{when, since, e.Text})
	}
	return rows
}

func probesInMarkdown(r *mishap.Run) (rows [][]string) {
	if r.InjectedAt.IsZero() {
		return nil
	}
	for _, w := range r.Watches {
		rows = append(rows, []string{w.Spec.Name, fmt.Sprint(w.Met), fmt.Sprint(w.Unmet), fmt.Sprint(w.Unknown), allowed(w.Spec)})
	}
	return rows
}

// table is one with a line per row; nothing without rows.
func (m *markdown) table(head []string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	for i, row := range append([][]string{head}, rows...) {
		for _, cell := range row {
			m.WriteString("| " + words.Markdown(words.Clean(cell)) + " ")
		}
		m.WriteString("|\n")
		if i == 0 {
			m.WriteString(strings.Repeat("|---", len(head)) + "|\n")
		}
	}
	m.WriteByte('\n')
}

// folded is a table that is opened by whoever wants to know.
func (m *markdown) folded(title string, head []string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	m.line("<details><summary>%s</summary>\n", title)
	m.table(head, rows)
	m.WriteString("</details>\n\n")
}
