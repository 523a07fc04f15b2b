package ci

import (
	"fmt"
	"io"
	"slices"
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
		word := words.Markdown(r.word)
		if r.red {
			word = "**" + word + "**"
		}
		fmt.Fprintf(&out, "| %s %s | %s | %s | %s | %s |\n", words.SignOf(r.word).Emoji, word, words.Markdown(r.name), words.Markdown(r.took), words.Link(r.run, r.page), words.Markdown(r.why))
	}
	if slices.ContainsFunc(all, func(r row) bool { return r.red }) {
		out.WriteString("\nBold: why the build fails.\n")
	}
	out.WriteByte('\n')
	_, err := io.WriteString(w, out.String())
	return err
}
