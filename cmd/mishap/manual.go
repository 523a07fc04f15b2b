package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// manualCommand writes what a package has of manual pages: one for each verb, of
// the same table as its help. For who makes packages, so it is in no list.
func manualCommand(version string) *cobra.Command {
	return &cobra.Command{
		Use:    "manual FOLDER",
		Short:  "Write manual pages",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("write manual: %w", err)
			}
			return writeManual(cmd.Root(), args[0], version)
		},
	}
}

// writeManual writes the page of a command and those of the commands below it.
func writeManual(cmd *cobra.Command, folder, version string) error {
	name := strings.ReplaceAll(cmd.CommandPath(), " ", "-") + ".1"
	err := os.WriteFile(filepath.Join(folder, name), []byte(manualPage(cmd, version)), 0o644)
	for _, sub := range shown(cmd) {
		err = errors.Join(err, writeManual(sub, folder, version))
	}
	return err
}

// shown are the commands that people are told of.
func shown(cmd *cobra.Command) (all []*cobra.Command) {
	for _, sub := range cmd.Commands() {
		if !sub.Hidden && sub.Name() != "help" {
			all = append(all, sub)
		}
	}
	return all
}

// manualPage is the help of a command as man(7) has it.
func manualPage(cmd *cobra.Command, version string) string {
	name := strings.ReplaceAll(cmd.CommandPath(), " ", "-")
	var p strings.Builder
	fmt.Fprintf(&p, ".TH %s 1 \"\" \"mishap %s\" \"mishap\"\n.SH NAME\n%s \\- %s\n", strings.ToUpper(roff(name)), roff(version), roff(name), roff(cmd.Short))
	fmt.Fprintf(&p, ".SH SYNOPSIS\n.nf\n%s\n.fi\n", roff(cmd.UseLine()))
	long := cmd.Long
	if long == "" {
		long = cmd.Short + "."
	}
	p.WriteString(".SH DESCRIPTION\n" + paragraphs(long))
	if all := shown(cmd); all != nil {
		p.WriteString(".SH COMMANDS\n")
		for _, sub := range all {
			fmt.Fprintf(&p, ".TP\n\\fB%s\\fR\n%s\n", roff(sub.Name()), roff(sub.Short))
		}
	}
	cmd.InitDefaultHelpFlag()
	options(&p, "OPTIONS", cmd.NonInheritedFlags())
	options(&p, "OPTIONS OF ALL COMMANDS", cmd.InheritedFlags())
	if cmd.Example != "" {
		fmt.Fprintf(&p, ".SH EXAMPLES\n.nf\n%s\n.fi\n", roff(cmd.Example))
	}
	var see []string
	if cmd.HasParent() {
		see = append(see, strings.ReplaceAll(cmd.Parent().CommandPath(), " ", "-"))
	}
	for _, sub := range shown(cmd) {
		see = append(see, strings.ReplaceAll(sub.CommandPath(), " ", "-"))
	}
	fmt.Fprintf(&p, ".SH SEE ALSO\n")
	for i, one := range see {
		end := ","
		if i == len(see)-1 {
			end = ""
		}
		fmt.Fprintf(&p, ".BR %s (1)%s\n", roff(one), end)
	}
	return p.String()
}

// paragraphs are those of a help text: lines that are indented stay lines.
func paragraphs(text string) string {
	var p strings.Builder
	lines, gap := false, false
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		indented := strings.HasPrefix(line, " ")
		switch {
		case line == "":
			gap = true
			continue
		case lines && !indented:
			p.WriteString(".fi\n.PP\n")
		case !lines && indented:
			p.WriteString(".PP\n.nf\n")
		case gap:
			p.WriteString(".PP\n")
		}
		lines, gap = indented, false
		p.WriteString(roff(line) + "\n")
	}
	if lines {
		p.WriteString(".fi\n")
	}
	return p.String()
}

func options(p *strings.Builder, heading string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	p.WriteString(".SH " + heading + "\n")
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		if value != "" {
			value = " \\fI" + roff(value) + "\\fR"
		}
		fmt.Fprintf(p, ".TP\n\\fB%s\\fR%s\n%s\n", roff(name), value, roff(usage))
	})
}

// roff is a text that means itself in a manual page, also at the beginning of a
// line.
func roff(text string) string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(line)
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			line = `\&` + line
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}
