package ci

import (
	"fmt"
	"io"
	"strings"

	"mishap/internal/report"
)

// Markdown writes the suite as a table for the page of a build.
func Markdown(w io.Writer, s report.Suite) error {
	all := rows(s)
	var out strings.Builder
	fmt.Fprintf(&out, "### mishap: %s\n\n", escaped(counted(all)))
	out.WriteString("| | experiment | took | run | why |\n|---|---|---|---|---|\n")
	for _, r := range all {
		fmt.Fprintf(&out, "| %s %s | %s | %s | %s | %s |\n", sign(r), escaped(r.word), escaped(r.name), escaped(r.took), escaped(r.run), escaped(r.why))
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

// escaped is a text that means itself in a cell of Markdown.
func escaped(text string) string {
	var out strings.Builder
	for _, r := range text {
		if strings.ContainsRune("\\`*_{}[]<>|#~!&", r) {
			out.WriteByte('\\')
		}
		out.WriteRune(r)
	}
	return out.String()
}
