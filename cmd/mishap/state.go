package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strings"

	"github.com/spf13/cobra"

	"mishap"
	"mishap/internal/api"
	"mishap/internal/app"
	"mishap/internal/engine"
	"mishap/internal/ledger"
	"mishap/internal/report"
)

// app opens the settings and catalogs; the ledger only when it is needed.
func (c *cli) app() (*app.App, error) {
	return app.New(app.Options{Config: c.config, State: c.state, Ledger: c.ledger, Log: c.log(), Around: c.around, Injectors: c.extra})
}

// withApp runs f with an app and names what a crash left before.
func (c *cli) withApp(cmd *cobra.Command, f func(*app.App) error) error {
	a, err := c.app()
	if err != nil {
		return err
	}
	defer a.Close()
	c.nameExposed(a)
	c.nameLeftovers(cmd.Context(), a)
	return f(a)
}

// desk is what the verbs that look at runs and stop them need: this machine's
// ledger, or a server that --server names.
type desk interface {
	Close()
	LedgerOf(ctx context.Context) string
	PageOf(ctx context.Context, run string) string
	Leftovers(ctx context.Context) ([]string, error)
	Journal(ctx context.Context, which string) ([]mishap.Entry, error)
	Runs(ctx context.Context, limit int) ([]*mishap.Run, error)
	RunsOf(ctx context.Context, experiment string, limit int) ([]*mishap.Run, error)
	Standing(ctx context.Context) (report.Standing, error)
	Halted(ctx context.Context) (*ledger.Halt, error)
	Halt(ctx context.Context, by, reason string, everywhere bool) ([]api.Stopped, error)
	Resume(ctx context.Context, by, reason string) error
	Unlock(ctx context.Context, experiment, by, reason string) error
	Abort(ctx context.Context, which, by, reason string) (api.Asked, error)
}

// openDesk opens this machine's ledger, or the server that --server names.
func (c *cli) openDesk() (desk, error) {
	if c.server == "" {
		return c.app()
	}
	return api.NewClient(c.server)
}

// withDesk runs f with it, and names what a crash left before.
func (c *cli) withDesk(cmd *cobra.Command, f func(desk) error) error {
	d, err := c.openDesk()
	if err != nil {
		return err
	}
	defer d.Close()
	c.nameLeftovers(cmd.Context(), d)
	return f(d)
}

// nameExposed says on stderr who else may change what this machine's runs go by.
func (c *cli) nameExposed(a *app.App) {
	if said := ledger.Exposed(a.Settings.State); said != "" {
		c.tell("mishap: %s, and with it undo and runs\nhint: chmod go-w it, or choose another with --state DIR\n", said)
	}
}

// nameLeftovers says on stderr what a lost server left behind. It must not keep
// a command from working.
func (c *cli) nameLeftovers(ctx context.Context, a desk) {
	leftovers, err := a.Leftovers(ctx)
	if err != nil {
		c.tell("mishap: look for orphaned runs: %v\n", err)
	}
	for _, l := range leftovers {
		c.tell("mishap: %s\n", l)
	}
	if len(leftovers) > 0 {
		c.tell("hint: the next `mishap run` reverts it first, or `mishap revert --all` does now\n")
	}
}

// whoami names the person for the journal.
func whoami() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return fmt.Sprintf("uid %d", os.Getuid())
}

func (c *cli) resumeCommand() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:     "resume",
		Short:   "Let runs start again after halt",
		Long:    "Let runs start again after `mishap halt`. Who did, and why, is in the audit.",
		Example: "  mishap resume --reason 'incident 4711 is over'",
		Args:    exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withDesk(cmd, func(a desk) error {
				was, err := a.Halted(cmd.Context())
				if err == nil {
					err = a.Resume(cmd.Context(), whoami(), reason)
				}
				if err != nil {
					return err
				}
				said := "resumed: runs may start; nothing was halted"
				if was != nil {
					said = "resumed: runs may start; it was " + was.String()
				}
				_, err = fmt.Fprint(c.out, folded(foldsOf(c.out), said, ""))
				return err
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the audit")
	return cmd
}

func (c *cli) unlockCommand() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "unlock EXPERIMENT",
		Short: "Let an experiment that deviated be run again",
		Long: `An experiment that deviated is locked: neither a schedule nor ` + "`mishap run`" + `
with the same ledger runs it, so that a harm which is known is not done again.
Unlock it when the cause is dealt with. To see whether it is, ` + "`mishap run FILE\n--override WHY`" + ` runs it once; the lock stays.`,
		Example: "  mishap unlock checkout-survives-slow-payments --reason 'timeout is fixed'",
		Args:    exactly(1, "the name of an experiment"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.TrimSpace(reason) == "" {
				return usageError{mishap.WithHint(errors.New("unlock needs a reason, for the audit"), "add --reason 'what was done'")}
			}
			return c.withDesk(cmd, func(a desk) error {
				if err := a.Unlock(cmd.Context(), args[0], whoami(), reason); err != nil {
					return err
				}
				return c.result("%s is unlocked: it may run again\n", args[0])
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; kept in the audit")
	return cmd
}

func (c *cli) abortCommand() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "abort RUN",
		Short: "Stop a run under way; it reverts",
		Long:  "Ask the server of a run to stop, and wait up to 10 s until it has begun to\nrevert. It verifies then, and its verdict is inconclusive unless it has deviated\nalready. `last` is the latest run that is under way. Exit 6 if it did not begin.",
		Args:  exactly(1, "the id of a run, its beginning, or `last`, which is under way"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withDesk(cmd, func(a desk) error {
				return c.abort(cmd.Context(), a, args[0], reason)
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the journal")
	return cmd
}

// abort asks the server of a run to stop it.
func (c *cli) abort(ctx context.Context, a desk, which, reason string) error {
	asked, err := a.Abort(ctx, which, whoami(), reason)
	if err != nil {
		return err
	}
	return c.result("%s; `mishap status %s` shows how far it is\n", asked, asked.Run)
}

func (c *cli) revertCommand() *cobra.Command {
	var all bool
	var settle string
	cmd := &cobra.Command{
		Use:   "revert RUN|FILE|--all",
		Short: "Revert what a lost server or a stranded run left",
		Long: `Revert what may still be in force, of a run whose server is gone or that is
stranded, and verify the steady state. A run whose server lives is asked to do
it itself.
With --all, vaults in AWS are swept too (see ` + "`mishap sweep`" + `).
With --settle a person takes it over instead: the injections are recorded as
settled with the reason, and nothing is called. So is an undo FILE that cannot
be read, or that no run of the ledger accounts for.`,
		Example: "  mishap revert --all\n  mishap revert 7f3a --settle 'rebooted by hand, see ticket 12'",
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) == 1) || len(args) > 1 {
				return usageError{mishap.WithHint(fmt.Errorf("revert takes one run, or --all"), "`mishap status` lists what may be in force")}
			}
			settles := cmd.Flags().Changed("settle")
			if settles && all {
				return usageError{fmt.Errorf("--settle takes one run: a person answers for each")}
			}
			if settles && strings.TrimSpace(settle) == "" {
				return usageError{mishap.WithHint(errors.New("--settle needs a reason, for the audit"), "write --settle 'what was done'")}
			}
			return c.revert(cmd, args, settle)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "everything that may still be in force")
	cmd.Flags().StringVar(&settle, "settle", "", "record it as settled by you, for this reason")
	return cmd
}

func (c *cli) revert(cmd *cobra.Command, args []string, settle string) error {
	a, err := c.app()
	if err != nil {
		return err
	}
	defer a.Close()
	c.nameLedger(a)
	if settle != "" {
		if file, err := a.SettleUndo(cmd.Context(), args[0], whoami(), settle); file || err != nil {
			if err == nil {
				err = c.result("undo file %s: settled by %s\n", args[0], whoami())
			}
			return err
		}
		run, err := a.Settle(cmd.Context(), args[0], whoami(), settle)
		if err != nil {
			return err
		}
		return c.result("%s: settled by %s\n", run.ID, whoami())
	}
	which := ""
	if len(args) == 1 {
		which = args[0]
	}
	var fromUndo []string
	mended, err := c.mend(cmd.Context(), a, which, engine.RunOptions{Stranded: true, FromUndo: func(line string) { fromUndo = append(fromUndo, line) }})
	if errors.Is(err, engine.ErrAlive) {
		return c.abort(cmd.Context(), a, which, "reverted by hand")
	}
	if which == "" {
		err = errors.Join(err, a.Unsettled())
	}
	for _, run := range mended {
		if err := c.result("%s: %s\n", run.ID, engine.Mended(run)); err != nil {
			return err
		}
	}
	for _, line := range fromUndo {
		if err := c.result("%s\n", line); err != nil {
			return err
		}
	}
	swept := 0
	if which == "" {
		n, wrong := sweepToo(cmd.Context(), c, a)
		swept, err = n, errors.Join(err, wrong)
	}
	if err != nil || len(mended)+len(fromUndo)+swept > 0 {
		return err
	}
	nothing, err := a.NothingToRevert(cmd.Context())
	if err != nil {
		return err
	}
	return c.result("%s\n", nothing)
}

// mend reverts what lost servers left, and remembers if something is still in.
func (c *cli) mend(ctx context.Context, a *app.App, which string, o engine.RunOptions) ([]*mishap.Run, error) {
	view := c.view(false)
	defer view.Close()
	ctx, stops, done := c.stoppable(ctx, "revert", view)
	defer done()
	o.Seen, o.Stops = c.follow(view), stops
	o.Waits = func(w engine.Waiting) { view.Say("mishap: " + w.String() + "\n") }
	mended, err := a.Mend(ctx, which, o)
	for _, run := range mended {
		if len(run.Outstanding()) > 0 {
			c.outcome = mishap.Worst(c.outcome, mishap.OutcomeStillIn)
		}
	}
	return mended, err
}
