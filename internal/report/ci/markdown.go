package ci

import (
	"fmt"
	"io"
	"strings"

	"mishap/internal/report"
	"mishap/internal/report/words"
)

// Markdown writes the suite as a table for the page of a build.
func Markdown(w io.Writer, s report.Suite) error {
	all := rows(s)
	var out strings.Builder
	fmt.Fprintf(&out, "### mishap: %s\n\n", words.Markdown(counted(all)))
	out.WriteString("| | experiment | took | run | why |\n|---|---|---|---|---|\n")
	for _, r := range all {
		fmt.Fprintf(&out, "| %s %s | %s | %s | %s | %s |\n", sign(r), words.Markdown(r.word), words.Markdown(r.name), words.Markdown(r.took), words.Link(r.run, r.page), words.Markdown(r.why))
	}
	out.WriteByte('\n')
	_, err := io.WriteString(w, out.String())
	return err
}

// sign is what of a row is seen first.
func sign(r row) string {
	switch {
	case r.red:
		return "❌"
	case r.word == "held":
		return "✅"
	}
	return "⚪"
}
