package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

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

// columnsOf is how wide a result may be.
func columnsOf(w io.Writer) int {
	if wide, is := w.(interface{ Columns() int }); is {
		return max(words.Width, wide.Columns())
	}
	return words.Width
}

// helpOf is what a verb says of itself: what it does, how it is called, and last what
// is alike for all.
func helpOf(cmd *cobra.Command, columns int) string {
	var b strings.Builder
	about := cmd.Long
	if about == "" {
		about = cmd.Short + "."
	}
	for line := range strings.SplitSeq(strings.TrimSpace(about), "\n") {
		if words.Cells(line) > columns {
			line = strings.Join(words.Wrap(line, columns, columns), "\n")
		}
		b.WriteString(line + "\n")
	}
	b.WriteString("\nUsage:\n")
	if cmd.Runnable() && cmd.HasParent() {
		fmt.Fprintf(&b, "  %s\n", cmd.UseLine())
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s VERB\n", cmd.CommandPath())
	}
	if cmd.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", cmd.Example)
	}
	verbs(&b, cmd)
	if cmd.HasAvailableLocalFlags() {
		fmt.Fprintf(&b, "\nFlags:\n%s", flagUsages(cmd.LocalFlags().FlagUsagesWrapped(columns)))
	}
	if cmd.HasAvailableInheritedFlags() {
		fmt.Fprintf(&b, "\nFlags of all verbs:\n%s", flagUsages(cmd.InheritedFlags().FlagUsagesWrapped(columns)))
	}
	b.WriteString("\n" + exitCodes)
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n`%s VERB --help` says more of a verb.\n", cmd.CommandPath())
	}
	return b.String()
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
func verbs(b *strings.Builder, cmd *cobra.Command) {
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
				fmt.Fprintf(b, "%s  %-*s  %s\n", head, width, verb.Name(), verb.Short)
				head = ""
			}
		}
	}
	for _, g := range cmd.Groups() {
		list(g.Title, g.ID)
	}
	list("Verbs", "")
}
