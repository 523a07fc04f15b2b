package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"mishap/internal/report"
	"mishap/internal/report/words"
)

const exitCodes = `Exit codes:
  0    held, or the command did what it was asked
  1    internal or ledger error
  2    usage, or an invalid file
  3    deviated
  4    inconclusive; the reason is in the output
  5    refused; this run touched nothing
  6    a fault may still be in force; the output says which, and how to end it
  130  interrupted, after everything was reverted
`

// columnsOf is how wide a text, a table or a report may be; 0 if nobody says so.
func columnsOf(w io.Writer) int {
	if wide, is := w.(report.Wide); is {
		return wide.Columns()
	}
	return 0
}

// foldsOf is how many columns a sentence is folded to; 0: it is one line.
func foldsOf(w io.Writer) int {
	if folding, is := w.(interface{ Folds() int }); is {
		return folding.Folds()
	}
	return 0
}

// helpOf is what a verb says of itself: what it does, how it is called, and last what
// is alike for all.
func helpOf(cmd *cobra.Command, columns int) string {
	var b strings.Builder
	about := cmd.Long
	if about == "" {
		about = cmd.Short + "."
	}
	b.WriteString(reflowed(strings.TrimSpace(about), columns))
	b.WriteString("\nUsage:\n")
	if cmd.Runnable() && cmd.HasParent() {
		b.WriteString(words.Fold("  "+cmd.UseLine()+"\n", columns))
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s VERB\n", cmd.CommandPath())
	}
	if cmd.HasExample() {
		b.WriteString("\nExamples:\n" + typed(cmd.Example, columns))
	}
	verbs(&b, cmd, columns)
	if cmd.HasAvailableLocalFlags() {
		fmt.Fprintf(&b, "\nFlags:\n%s", flagUsages(cmd.LocalFlags().FlagUsagesWrapped(columns)))
	}
	if cmd.HasAvailableInheritedFlags() {
		fmt.Fprintf(&b, "\nFlags of all verbs:\n%s", flagUsages(cmd.InheritedFlags().FlagUsagesWrapped(columns)))
	}
	b.WriteString("\n" + aligned(exitCodes, 7, columns))
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n`%s VERB --help` says more of a verb.\n", cmd.CommandPath())
	}
	return b.String()
}

// reflowed are the paragraphs of a text, in lines of at most so many columns. A line
// that is set in stays one.
func reflowed(text string, columns int) string {
	columns = min(columns, words.Readable)
	var out, paragraph strings.Builder
	end := func() {
		if paragraph.Len() > 0 {
			out.WriteString(strings.Join(words.Lines(paragraph.String(), columns), "\n") + "\n")
		}
		paragraph.Reset()
	}
	for line := range strings.SplitSeq(text, "\n") {
		if line != "" && !strings.HasPrefix(line, " ") {
			paragraph.WriteString(line + " ")
			continue
		}
		end()
		out.WriteString(words.Fold(line, columns) + "\n")
	}
	end()
	return out.String()
}

// typed are commands to type: one that is too long goes on in the next line, and what
// is said of it then stands above.
func typed(commands string, columns int) string {
	var out strings.Builder
	for line := range strings.SplitSeq(commands, "\n") {
		command, comment, said := strings.Cut(line, "  # ")
		if words.Cells(line) > columns {
			if said {
				out.WriteString(words.Fold("  # "+comment, columns) + "\n")
			}
			line = "  " + strings.Join(words.Lines(command, columns-6), " \\\n    ")
		}
		out.WriteString(line + "\n")
	}
	return out.String()
}

// aligned are the lines of a table of two columns, of which the second begins after in.
func aligned(table string, in, columns int) string {
	var out strings.Builder
	for line := range strings.Lines(table) {
		line = strings.TrimSuffix(line, "\n")
		if words.Cells(line) > columns && len(line) > in {
			line = line[:in] + strings.Join(words.Lines(line[in:], columns-in), "\n"+strings.Repeat(" ", in))
		}
		out.WriteString(line + "\n")
	}
	return out.String()
}

// flagUsages are those of flags, without the spaces at the ends of lines.
func flagUsages(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return b.String()
}

// verbs lists those below a command, in groups if it has any.
func verbs(b *strings.Builder, cmd *cobra.Command, columns int) {
	width := 0
	for _, verb := range cmd.Commands() {
		if verb.IsAvailableCommand() {
			width = max(width, len(verb.Name()))
		}
	}
	list := func(title, group string) {
		head := "\n" + title + ":\n"
		for _, verb := range cmd.Commands() {
			if verb.GroupID == group && verb.IsAvailableCommand() {
				b.WriteString(head + aligned(fmt.Sprintf("  %-*s  %s\n", width, verb.Name(), verb.Short), width+4, columns))
				head = ""
			}
		}
	}
	for _, g := range cmd.Groups() {
		list(g.Title, g.ID)
	}
	list("Verbs", "")
}
