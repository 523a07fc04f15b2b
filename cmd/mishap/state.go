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
	"mishap/internal/app"
	"mishap/internal/ledger"
	"mishap/internal/report"
)

// app opens the settings and catalogs; the ledger only when it is needed.
func (c *cli) app() (*app.App, error) {
	return app.New(app.Options{Config: c.config, State: c.state, Ledger: c.ledger, Log: c.log(), Around: c.around, Extra: c.extra})
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
	Leftovers(ctx context.Context) ([]string, error)
	Journal(ctx context.Context, which string) ([]mishap.Entry, error)
	Runs(ctx context.Context, limit int) ([]*mishap.Run, error)
	RunsOf(ctx context.Context, experiment string, limit int) ([]*mishap.Run, error)
	Standing(ctx context.Context) (report.Standing, error)
	Halted(ctx context.Context) (*ledger.Halt, error)
	Halt(ctx context.Context, by, reason string) (string, error)
	Resume(ctx context.Context, by string) error
	Unlock(ctx context.Context, experiment, by, reason string) error
	Abort(ctx context.Context, which, by, reason string) (string, error)
}

// withDesk runs f with the ledger, or with the server that --server names.
func (c *cli) withDesk(cmd *cobra.Command, f func(desk) error) error {
	if c.server == "" {
		return c.withApp(cmd, func(a *app.App) error { return f(a) })
	}
	r, err := app.NewRemote(c.server)
	if err != nil {
		return err
	}
	defer r.Close()
	return f(r)
}

// nameExposed says on stderr who else may change what this machine's runs go by.
func (c *cli) nameExposed(a *app.App) {
	if said := ledger.Exposed(a.Settings.State); said != "" {
		fmt.Fprintf(c.err, "mishap: %s, and with it undo and runs\nhint: chmod go-w it, or choose another with --state DIR\n", said)
	}
}

// nameLeftovers says on stderr what a lost server left behind. It must not keep
// a command from working.
func (c *cli) nameLeftovers(ctx context.Context, a *app.App) {
	leftovers, err := a.Leftovers(ctx)
	if err != nil {
		fmt.Fprintf(c.err, "mishap: look for leftovers: %v\n", err)
	}
	for _, l := range leftovers {
		fmt.Fprintf(c.err, "mishap: %s\n", l)
	}
	if len(leftovers) > 0 {
		fmt.Fprintln(c.err, "hint: the next `mishap run` reverts it first, or `mishap revert --all` does now")
	}
}

// nameNeighbours says on stderr where other ledgers of this host are in use.
func (c *cli) nameNeighbours(d desk) {
	if a, local := d.(*app.App); local {
		for _, n := range a.Neighbours(false) {
			fmt.Fprintf(c.err, "mishap: not of this ledger: %s; reach it with %s\n", n, n.Reach())
		}
	}
}

// whoami names the person for the journal.
func whoami() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return fmt.Sprintf("uid %d", os.Getuid())
}

func (c *cli) haltCommand() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:     "halt",
		Short:   "Stop everything and start nothing, until resumed",
		Long:    "Stop every run that uses this ledger; each reverts. Nothing starts until\n`mishap resume`." + "\n" + exitCodes,
		Example: "  mishap halt --reason 'incident 4711'",
		Args:    exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withDesk(cmd, func(a desk) error {
				said, err := a.Halt(cmd.Context(), whoami(), reason)
				if err != nil {
					return err
				}
				c.nameNeighbours(a)
				_, err = fmt.Fprintf(c.out, "halted: every run reverts, and nothing starts until `mishap resume`\n%s\n", said)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the others")
	return cmd
}

func (c *cli) resumeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "resume",
		Short: "Let runs start again after halt",
		Long:  "Let runs start again after `mishap halt`." + "\n" + exitCodes,
		Args:  exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withDesk(cmd, func(a desk) error {
				if err := a.Resume(cmd.Context(), whoami()); err != nil {
					return err
				}
				_, err := fmt.Fprintln(c.out, "resumed: runs may start")
				return err
			})
		},
	}
}

func (c *cli) unlockCommand() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "unlock EXPERIMENT",
		Short: "Let an experiment that deviated be run again",
		Long: `An experiment that deviated is locked: neither a schedule nor ` + "`mishap run`" + `
with the same ledger runs it, so that a harm which is known is not done again.
Unlock it when the cause is dealt with. To see whether it is, ` + "`mishap run FILE\n--override WHY`" + ` runs it once; the lock stays.` + "\n" + exitCodes,
		Example: "  mishap unlock checkout-survives-slow-payments --reason 'timeout fixed in PAY-123'",
		Args:    exactly(1, "the name of an experiment"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.TrimSpace(reason) == "" {
				return usageError{mishap.WithHint(errors.New("unlock needs a reason, for the audit"), "add --reason 'what was done'")}
			}
			return c.withDesk(cmd, func(a desk) error {
				if err := a.Unlock(cmd.Context(), args[0], whoami(), reason); err != nil {
					return err
				}
				_, err := fmt.Fprintf(c.out, "%s is unlocked: it may run again\n", args[0])
				return err
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
		Long:  "Ask the server of a run to stop. It reverts and verifies, and its verdict is\ninconclusive unless it has deviated already." + "\n" + exitCodes,
		Args:  exactly(1, "the id of a run, its beginning, or `last`"),
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
	run, err := a.Abort(ctx, which, whoami(), reason)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.out, "%s was asked to stop and revert; `mishap status %s` shows how far it is\n", run, run)
	return err
}

func (c *cli) revertCommand() *cobra.Command {
	var all bool
	var settle string
	cmd := &cobra.Command{
		Use:   "revert RUN|FILE|--all",
		Short: "Revert what a lost server or a stranded run left",
		Long: `Revert what may still be in, of a run whose server is gone or that is stranded,
and verify the steady state. A run whose server lives is asked to do it itself.
With --settle a person takes it over instead: the injections are recorded as
settled with the reason, and nothing is called. So is an undo FILE that was set
aside because it cannot be read.` + "\n" + exitCodes,
		Example: "  mishap revert --all\n  mishap revert 7f3a --settle 'rebooted by hand, see ticket 12'",
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) == 1) || len(args) > 1 {
				return usageError{mishap.WithHint(fmt.Errorf("revert takes one run, or --all"), "`mishap status` lists what may be in")}
			}
			if settle != "" && all {
				return usageError{fmt.Errorf("--settle takes one run: a person answers for each")}
			}
			return c.revert(cmd, args, settle)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "everything that may still be in")
	cmd.Flags().StringVar(&settle, "settle", "", "record it as settled by you, for this reason")
	return cmd
}

func (c *cli) revert(cmd *cobra.Command, args []string, settle string) error {
	a, err := c.app()
	if err != nil {
		return err
	}
	defer a.Close()
	if settle != "" {
		if file, err := a.SettleUndo(cmd.Context(), args[0], whoami(), settle); file || err != nil {
			if err == nil {
				_, err = fmt.Fprintf(c.out, "undo file %s: settled by %s\n", args[0], whoami())
			}
			return err
		}
		run, err := a.Settle(cmd.Context(), args[0], whoami(), settle)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.out, "%s: settled by %s\n", run.ID, whoami())
		return err
	}
	which := ""
	if len(args) == 1 {
		which = args[0]
	}
	var strays []string
	mended, err := c.mend(cmd.Context(), a, which, func(line string) { strays = append(strays, line) })
	if errors.Is(err, app.ErrAlive) {
		return c.abort(cmd.Context(), a, which, "reverted by hand")
	}
	for _, run := range mended {
		if _, err := fmt.Fprintf(c.out, "%s: %s\n", run.ID, app.Mended(run)); err != nil {
			return err
		}
	}
	for _, line := range strays {
		if _, err := fmt.Fprintln(c.out, line); err != nil {
			return err
		}
	}
	if err == nil && len(mended)+len(strays) == 0 {
		_, err = fmt.Fprintln(c.out, "nothing to revert")
	}
	return err
}

// mend reverts what lost servers left, and remembers if something is still in.
func (c *cli) mend(ctx context.Context, a *app.App, which string, stray func(string)) ([]*mishap.Run, error) {
	view := c.view()
	defer view.Close()
	ctx, stops, done := c.stoppable(ctx, "revert", view)
	defer done()
	mended, err := a.Mend(ctx, which, app.RunOptions{Seen: c.follow(view), Stops: stops, Stray: stray})
	for _, run := range mended {
		if len(run.Outstanding()) > 0 {
			c.outcome = mishap.Worst(c.outcome, mishap.OutcomeStillIn)
		}
	}
	return mended, err
}
