package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mishap"
	"mishap/internal/app"
	"mishap/internal/catalog"
	"mishap/internal/ledger"
	"mishap/internal/report"
	"mishap/internal/report/html"
)

func (c *cli) listCommand() *cobra.Command {
	var given catalog.Given
	cmd := &cobra.Command{
		Use:     "list PATH…",
		Short:   "List experiments and what they claim",
		Long:    "List the experiments of files and folders, with what keeps each from running now\nand why it did not start last.",
		Example: "  mishap list experiments/",
		Args:    atLeast(1, "at least one file or folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withApp(cmd, func(a *app.App) error {
				experiments, err := a.Load(cmd.Context(), args, given, false)
				if err != nil {
					return err
				}
				c.nameLedger(a)
				if !c.json() {
					stands, err := a.StandsNow(cmd.Context())
					if err != nil {
						return err
					}
					return report.List(c.out, experiments, stands)
				}
				for _, e := range experiments {
					if err := json.NewEncoder(c.out).Encode(e); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	givenFlags(cmd, &given)
	return cmd
}

func (c *cli) statusCommand() *cobra.Command {
	const latest = 20
	return &cobra.Command{
		Use:   "status [RUN]",
		Short: "Show runs, what is due, and what is or may be in force",
		Long: `Show who serves, what is in force, locked or broken, when experiments are due
and what ran last of each, and the latest runs: those that were refused with the
reason. Or one run. It also works while a run goes on in another terminal. A
list shows the beginning of a long reason; ` + "`mishap report RUN`" + ` has all of it.`,
		Example: "  mishap status\n  mishap status last",
		Args:    atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if known := []string{"text", "json"}; len(args) == 0 && !slices.Contains(known, c.output) {
				return usageError{mishap.WithHint(fmt.Errorf("mishap status has no output %q for more than one run", c.output), "known: "+strings.Join(known, ", ")+"; `mishap status last` is of one")}
			}
			return c.withDesk(cmd, func(a desk) error {
				c.nameLedger(a)
				if len(args) == 0 { // what goes on here; else what became of one run
					c.nameNeighbours(a)
				}
				halt, err := a.Halted(cmd.Context())
				if err != nil {
					return err
				}
				listed := len(args) == 0 && !c.json() // which has a line for it
				if halt != nil && !listed {
					c.tell("mishap: %s; `mishap resume` ends it\n", halt)
				}
				if len(args) == 1 {
					return c.reportRun(cmd, a, args[0], c.output)
				}
				runs, err := a.Runs(cmd.Context(), latest)
				if err != nil {
					return err
				}
				if listed {
					pages := func(run string) string { return a.PageOf(cmd.Context(), run) }
					return errors.Join(c.showStanding(cmd.Context(), a, halt, runs, pages), report.Status(c.out, runs, pages, time.Now()))
				}
				book := a.LedgerOf(cmd.Context())
				for _, r := range runs {
					if err := report.JSONIn(c.out, r, book, a.PageOf(cmd.Context(), r.ID)); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}

// showStanding says what is in force, broken and locked, and what is due.
func (c *cli) showStanding(ctx context.Context, a desk, halt *ledger.Halt, runs []*mishap.Run, pages report.Pages) error {
	standing, err := a.Standing(ctx)
	if err != nil {
		return err
	}
	if halt != nil {
		standing.Halted = halt.String()
	}
	return standing.Write(c.out, runs, pages, time.Now())
}

func (c *cli) reportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "report RUN|JOURNAL",
		Short: "Report a run: text, json, markdown, junit, html or journal",
		Long: `Report a run of the ledger, or of a journal that was exported to a file. A
journal alone is enough for the whole report. The html is one page that opens
offline and prints: the verdict in words, then pictures of the evidence. The
markdown is for a pull request or an issue.`,
		Example: "  mishap report last\n  mishap report last -o html > run.html\n  mishap report last -o journal > run.jsonl\n  mishap report run.jsonl -o junit",
		Args:    exactly(1, "the id of a run, its beginning, `last`, or a journal file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withDesk(cmd, func(a desk) error { return c.reportRun(cmd, a, args[0], c.output) })
		},
	}
	reportLengths(c, cmd, "full")
	return cmd
}

// reportLengths lets a verb be asked for a brief report or a full one: usual is the one
// that it prints if nobody says.
func reportLengths(c *cli, cmd *cobra.Command, usual string) {
	length := func(into *bool, name, usage string) {
		if name == usual {
			usage += "; it does so anyway"
		}
		cmd.Flags().BoolVar(into, name, false, usage)
	}
	length(&c.brief, "brief", "print a report of at most 25 lines")
	length(&c.full, "full", "print the whole report")
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if c.brief && c.full {
			return usageError{mishap.WithHint(errors.New("--brief and --full exclude each other"), "leave one of the two out")}
		}
		return nil
	}
}

func (c *cli) reportRun(cmd *cobra.Command, a desk, which, format string) error {
	inFile := false
	if _, err := os.Stat(which); err == nil { // a journal that was exported
		inFile = true
	} else if cmd.Name() != "status" {
		c.nameLedger(a)
	}
	entries, err := a.Journal(cmd.Context(), which)
	if err != nil {
		c.nameNeighbours(a) // it may be a run of theirs
		return err
	}
	run, err := mishap.Replay(entries)
	if err != nil {
		return err
	}
	page := ""
	if !inFile {
		page = a.PageOf(cmd.Context(), run.ID)
	}
	switch format {
	case "text":
		if c.brief {
			return report.Brief(c.out, run, page)
		}
		if err := report.Text(c.out, run); err != nil || page == "" {
			return err
		}
		_, err = fmt.Fprintf(c.out, "\nPage: %s\n", page)
		return err
	case "json":
		if inFile {
			return report.JSON(c.out, run)
		}
		return report.JSONIn(c.out, run, a.LedgerOf(cmd.Context()), page)
	case "markdown":
		return report.Markdown(c.out, run, page)
	case "junit":
		return report.Suite{Runs: []*mishap.Run{run}, Page: func(string) string { return page }}.JUnit(c.out)
	case "html":
		return html.Run(c.out, entries, versionString())
	case "journal":
		return report.WriteJournal(c.out, entries)
	}
	return usageError{mishap.WithHint(fmt.Errorf("there is no report %q", format), "known: text, json, markdown, junit, html, journal")}
}
