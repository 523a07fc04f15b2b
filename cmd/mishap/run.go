package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"mishap"
	"mishap/internal/app"
	"mishap/internal/report"
	"mishap/internal/runner"
)

func (c *cli) runCommand() *cobra.Command {
	var given app.Given
	var junit string
	var noFault bool
	cmd := &cobra.Command{
		Use:   "run FILE|DIR|plan.json|NAME…",
		Short: "Run experiments and give verdicts",
		Long: `Run experiments in path order, one at a time. What a crash left is reverted
first. After deviated, inconclusive and refused runs the next one follows; after
an internal error, a fault that is still in, and Ctrl-C none does. With --server
it is the names of experiments that the server has in force.

Ctrl-C reverts; a second one lists what is still in; a third leaves that to the
keepers and exits 6.` + "\n" + exitCodes,
		Example: "  mishap run experiments/slow.yaml\n  mishap run experiments/ -o json\n  mishap run plan.json --junit report.xml",
		Args:    atLeast(1, "at least one file or folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if c.server != "" {
				return c.runRemote(cmd.Context(), args, noFault)
			}
			a, err := c.app()
			if err != nil {
				return err
			}
			defer a.Close()
			jobs, err := c.jobs(cmd.Context(), a, args, given, noFault)
			if err != nil {
				return err
			}
			write, err := openJUnit(junit)
			if err != nil {
				return err
			}
			runs, err := c.runAll(cmd.Context(), a, jobs)
			return errors.Join(err, write(runs))
		},
	}
	givenFlags(cmd, &given)
	cmd.Flags().BoolVar(&noFault, "no-fault", false, "leave the faults out (A/A): shows how often the arms are told apart without one")
	cmd.Flags().BoolVar(&c.plain, "plain", false, "a line per change, also on a terminal; good for screen readers")
	cmd.Flags().StringVar(&junit, "junit", "", "also write a JUnit report to this file")
	return cmd
}

// job runs one experiment or pinned plan.
type job func(context.Context, app.RunOptions) (*mishap.Run, error)

// jobs reads everything before anything runs: one invalid file among many, and
// nothing does.
func (c *cli) jobs(ctx context.Context, a *app.App, args []string, given app.Given, noFault bool) ([]job, error) {
	var all []job
	var files []string
	for _, path := range args {
		if !strings.HasSuffix(path, ".json") {
			files = append(files, path)
			continue
		}
		plan, err := app.ReadPlan(path)
		if err != nil {
			return nil, err
		}
		if noFault {
			return nil, usageError{errors.New("--no-fault makes a plan of its own: give the experiment, not a plan")}
		}
		all = append(all, func(ctx context.Context, o app.RunOptions) (*mishap.Run, error) { return a.RunPinned(ctx, plan, o) })
	}
	if files == nil {
		return all, nil
	}
	experiments, err := a.Load(ctx, files, given, true)
	if err != nil {
		return nil, err
	}
	for _, e := range experiments {
		all = append(all, func(ctx context.Context, o app.RunOptions) (*mishap.Run, error) {
			o.NoFault = noFault
			return a.Run(ctx, e, o)
		})
	}
	return all, nil
}

// runAll mends, then runs one job after another.
func (c *cli) runAll(ctx context.Context, a *app.App, jobs []job) ([]*mishap.Run, error) {
	c.nameLeftovers(ctx, a)
	if _, err := c.mend(ctx, a, "", func(line string) { fmt.Fprintln(c.err, "mishap: "+line) }); err != nil {
		return nil, err
	}
	if c.outcome == mishap.OutcomeStillIn {
		return nil, mishap.WithHint(errors.New("nothing was run: what a lost run left is still in"), "`mishap status` shows it; `mishap revert` tries again, or settles it")
	}
	var runs []*mishap.Run
	for _, one := range jobs {
		run, err := c.runOne(ctx, one)
		if run != nil {
			runs = append(runs, run)
		}
		if err != nil {
			return runs, err
		}
		outcome := mishap.OutcomeOf(run)
		c.outcome = mishap.Worst(c.outcome, outcome)
		switch outcome {
		case mishap.OutcomeInternal, mishap.OutcomeStillIn, mishap.OutcomeInterrupted:
			return runs, nil
		}
	}
	return runs, nil
}

// runRemote asks a server for runs of experiments that it has in force, and
// follows each to its end. Ctrl-C aborts the run there.
func (c *cli) runRemote(ctx context.Context, names []string, noFault bool) error {
	r, err := app.NewRemote(c.server)
	if err != nil {
		return err
	}
	defer r.Close()
	for _, name := range names {
		id, err := r.Start(ctx, app.StartRequest{Experiment: name, NoFault: noFault}, whoami())
		if err != nil {
			return err
		}
		run, err := c.runOne(ctx, func(ctx context.Context, o app.RunOptions) (*mishap.Run, error) {
			over := make(chan struct{})
			defer close(over)
			go func() {
				select {
				case s := <-o.Stops:
					if _, err := r.Abort(ctx, id, whoami(), s.Reason); err != nil {
						fmt.Fprintf(c.err, "mishap: %v\n", err)
					}
				case <-over:
				}
			}()
			return r.Follow(ctx, id, o.Seen)
		})
		if run != nil {
			c.outcome = mishap.Worst(c.outcome, mishap.OutcomeOf(run))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// runOne follows one run to its end and prints its result.
func (c *cli) runOne(ctx context.Context, one job) (*mishap.Run, error) {
	view := report.NewView(c.err)
	if c.plain {
		view = report.NewPlain(c.err)
	}
	ctx, stops, done := c.stoppable(ctx, view)
	defer done()
	run, err := one(ctx, app.RunOptions{Seen: c.follow(view), Stops: stops})
	view.Close()
	if run == nil {
		return nil, err
	}
	if c.json() {
		return run, errors.Join(err, report.JSON(c.out, run))
	}
	return run, errors.Join(err, report.Text(c.out, run))
}

// follow shows a run and keeps a picture of it for a second Ctrl-C.
func (c *cli) follow(view report.View) func(mishap.Entry, *mishap.Run) {
	return func(e mishap.Entry, r *mishap.Run) {
		view.Seen(e, r)
		picture := *r
		picture.Injections = nil
		for _, in := range r.Injections {
			one := *in
			picture.Injections = append(picture.Injections, &one)
		}
		c.current.Store(&picture)
	}
}

// stoppable turns signals into stops: the first reverts, the second lists what
// is in, the third leaves it to the keepers.
func (c *cli) stoppable(ctx context.Context, view report.View) (context.Context, <-chan runner.Stop, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stops := make(chan runner.Stop, 1)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	over := make(chan struct{})
	go func() {
		for n := 1; ; n++ {
			var s os.Signal
			select {
			case s = <-signals:
			case <-over:
				return
			}
			switch n {
			case 1:
				view.Say(fmt.Sprintf("\nmishap: %s: reverting; a second one lists what is still in\n", signalName(s)))
				stops <- runner.Stop{Cause: mishap.CauseInterrupt, Reason: "interrupted by " + signalName(s), By: whoami()}
			case 2:
				view.Say(fmt.Sprintf("\nmishap: %sa third one leaves that to the keepers\n", c.stillIn()))
			case 3:
				view.Say(fmt.Sprintf("\nmishap: left to the keepers: %s", c.stillIn()))
				cancel(runner.ErrLeave)
			}
		}
	}()
	return ctx, stops, func() { signal.Stop(signals); close(over); cancel(nil) }
}

// signalName is what a person did or saw.
func signalName(s os.Signal) string {
	switch s {
	case os.Interrupt:
		return "Ctrl-C"
	case syscall.SIGTERM:
		return "SIGTERM"
	case syscall.SIGHUP:
		return "SIGHUP, the end of the terminal"
	}
	return s.String()
}

// stillIn lists what is in, in words.
func (c *cli) stillIn() string {
	run := c.current.Load()
	if run == nil || len(run.Outstanding()) == 0 {
		return "nothing is in\n"
	}
	var lines strings.Builder
	for _, in := range run.Outstanding() {
		fmt.Fprintf(&lines, "%s on %s is %s; `mishap revert %s` ends it\n", in.Fault, in.Target.Label(), in.State, run.ID)
	}
	return lines.String()
}

// openJUnit opens the file before anything runs, so that no result is lost to a
// path that cannot be written.
func openJUnit(path string) (func([]*mishap.Run) error, error) {
	if path == "" {
		return func([]*mishap.Run) error { return nil }, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, usageError{fmt.Errorf("write junit: %w", err)}
	}
	return func(runs []*mishap.Run) error { return errors.Join(report.JUnit(f, runs), f.Close()) }, nil
}
