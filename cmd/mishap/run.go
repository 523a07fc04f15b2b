package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mishap"
	"mishap/internal/api"
	"mishap/internal/app"
	"mishap/internal/engine"
	"mishap/internal/report"
	"mishap/internal/report/live"
	"mishap/internal/runner"
)

func (c *cli) runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run FILE|DIR|plan.json|NAME…",
		Short: "Run experiments and give verdicts",
		Long: `Run experiments in path order, one at a time. What a crash left is reverted
first. After deviated, inconclusive and refused runs the next one follows, but
with --fail-fast; after an internal error, a fault that is still in force, and
Ctrl-C none does. Several runs end with a line for each. With --server it is the
names of experiments that the server has in force.

Limits, freezes, the window and the calendar of the settings bind it, and so
does the lock of an experiment that deviated: refused, exit 5. --override WHY
runs it all the same, which is recorded in its journal and in the audit. Nothing
overrides halt, protected targets, places that the settings do not list, and
another run of its group.

--wait 2m waits for what passes by itself: another run that is in the way (of
the same experiment or group, or of something that both change), then a steady
state that is not met, both together for 2m at most. It waits for no lock,
limit, freeze, window or halt, and a plan.json for no other run: what it found
may be different by then.

What is printed of a run is at most 25 lines; --full has it all, and so has
` + "`mishap report RUN`" + `. In a build, docs/ci.md: a JUnit report, a table, and notes
at the lines of files.

Ctrl-C reverts; a second one lists what is still in force; a third leaves that
to the keepers and exits 6.`,
		Example: "  mishap run experiments/slow.yaml\n  mishap run experiments/ --tag service=checkout --fail-fast\n  mishap run plan.json --junit report.xml",
		Args:    atLeast(1, "at least one file or folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(cmd, c.server); err != nil {
				return usageError{err}
			}
			if c.server != "" {
				return c.runRemote(cmd.Context(), args, f)
			}
			a, err := c.app()
			if err != nil {
				return err
			}
			defer a.Close()
			c.nameExposed(a)
			jobs, err := c.jobs(cmd.Context(), a, args, f)
			if err != nil {
				return err
			}
			papers, err := openPapers(f)
			if err != nil {
				return err
			}
			suite, err := c.runAll(cmd.Context(), a, asked(jobs, f), f)
			suite.Page = func(run string) string { return a.PageOf(cmd.Context(), run) }
			written := papers.write(suite, func(run string) ([]mishap.Entry, error) { return a.Journal(cmd.Context(), run) })
			return errors.Join(err, written, conclude(c, suite))
		},
	}
	f.add(cmd)
	reportLengths(c, cmd, "brief")
	cmd.Flags().BoolVar(&c.plain, "plain", false, "a line per change, also on a terminal; good for screen readers")
	cmd.Flags().BoolVar(&c.brisk, "brisk", false, "show progress only where it can be taken away again")
	_ = cmd.Flags().MarkHidden("brisk") // for the demo
	return cmd
}

// job runs one experiment or pinned plan.
type job struct {
	of  mishap.Experiment
	run func(context.Context, engine.RunOptions) (*mishap.Run, error)
}

// jobs reads everything before anything runs: one invalid file among many, and
// nothing does.
func (c *cli) jobs(ctx context.Context, a *app.App, args []string, f runFlags) ([]job, error) {
	var all []job
	var files []string
	for _, path := range args {
		if !strings.HasSuffix(path, ".json") {
			files = append(files, path)
			continue
		}
		plan, err := engine.ReadPlan(path)
		if err != nil {
			return nil, err
		}
		if f.noFault {
			return nil, usageError{errors.New("--no-fault makes a plan of its own: give the experiment, not a plan")}
		}
		all = append(all, job{plan.Experiment, func(ctx context.Context, o engine.RunOptions) (*mishap.Run, error) { return a.RunPinned(ctx, plan, o) }})
	}
	if files != nil {
		experiments, err := a.Load(ctx, files, f.given, true)
		if err != nil {
			return nil, err
		}
		for _, e := range experiments {
			all = append(all, job{e, func(ctx context.Context, o engine.RunOptions) (*mishap.Run, error) {
				o.NoFault = f.noFault
				return a.Run(ctx, e, o)
			}})
		}
	}
	return chosen(all, f.chosen)
}

// asked are the jobs with what the flags say of each: in spite of the rules of the
// settings, and how long it waits.
func asked(jobs []job, f runFlags) (all []job) {
	for _, one := range jobs {
		all = append(all, job{one.of, func(ctx context.Context, o engine.RunOptions) (*mishap.Run, error) {
			if f.override != "" {
				o.Override = &mishap.Override{By: whoami(), Reason: f.override}
			}
			if f.waits {
				ready := mishap.DefaultReady()
				if of := one.of.Ready; of != nil {
					ready = *of
				}
				ready.Within = mishap.Duration(f.wait)
				o.Ready, o.Wait = &ready, f.wait
			}
			return one.run(ctx, o)
		}})
	}
	return all
}

// runAll mends, then runs one job after another.
func (c *cli) runAll(ctx context.Context, a *app.App, jobs []job, f runFlags) (report.Suite, error) {
	end := a.Aiding(ctx, "") // before the ledger is asked for anything
	c.nameLeftovers(ctx, a)
	end()
	none := notRun(jobs, f, "something else was to be mended first")
	if _, err := c.mend(ctx, a, "", engine.RunOptions{FromUndo: func(line string) { c.tell("mishap: %s\n", line) }}); err != nil {
		return none, err
	}
	if err := a.Blocked(nil); err != nil { // by what cannot even be told what it was about
		return none, err
	}
	if c.outcome == mishap.OutcomeStillIn {
		return none, mishap.WithHint(errors.New("nothing was run: what a lost run left is still in force"), "`mishap status` shows it; `mishap revert` tries again, or settles it")
	}
	select {
	case <-c.asked: // to stop, while something was mended
		c.outcome = mishap.Worst(c.outcome, mishap.OutcomeInterrupted)
		return none, nil
	default:
	}
	return each(c, jobs, f, func(one job) (*mishap.Run, error) { return c.runOne(ctx, one.run, a.Where(), a.PageOf) })
}

// runRemote asks a server for runs of experiments that it has in force, and
// follows each to its end. Ctrl-C aborts the run there.
func (c *cli) runRemote(ctx context.Context, names []string, f runFlags) error {
	r, err := api.NewClient(c.server)
	if err != nil {
		return err
	}
	defer r.Close()
	papers, err := openPapers(f)
	if err != nil {
		return err
	}
	var jobs []job
	for _, name := range names {
		jobs = append(jobs, job{of: mishap.Experiment{Name: name}})
	}
	suite, err := each(c, jobs, f, func(one job) (*mishap.Run, error) {
		id, err := r.Start(ctx, api.StartRequest{Experiment: one.of.Name, NoFault: f.noFault}, whoami())
		if err != nil {
			return nil, err
		}
		return c.runOne(ctx, func(ctx context.Context, o engine.RunOptions) (*mishap.Run, error) {
			over := make(chan struct{})
			defer close(over)
			go func() {
				select {
				case s := <-o.Stops:
					if _, err := r.Abort(ctx, id, whoami(), s.Reason); err != nil {
						c.tell("mishap: %v\n", err)
					}
				case <-over:
				}
			}()
			return r.Follow(ctx, id, o.Seen)
		}, "", r.PageOf)
	})
	suite.Page = func(run string) string { return r.PageOf(ctx, run) }
	written := papers.write(suite, func(run string) ([]mishap.Entry, error) { return r.Journal(ctx, run) })
	return errors.Join(err, written, conclude(c, suite)) // the first says whether anything may be in
}

// runOne follows one run to its end and prints its result, with the ledger that it is in
// and the address of its page.
func (c *cli) runOne(ctx context.Context, one func(context.Context, engine.RunOptions) (*mishap.Run, error), where string, page func(ctx context.Context, run string) string) (*mishap.Run, error) {
	view := c.runView()
	ctx, stops, done := c.stoppable(ctx, "run", view)
	behind := func(other string) { view.Say(fmt.Sprintf("mishap: waiting for another run: %s\n", other)) }
	run, err := one(ctx, engine.RunOptions{Seen: c.follow(view), Behind: behind, Stops: stops, Trigger: &mishap.Trigger{Kind: mishap.TriggerHand, By: whoami()}})
	waited := c.printing(run)
	defer waited()
	done()
	view.Close()
	if run == nil {
		return nil, err
	}
	if c.json() {
		return run, errors.Join(err, c.shown(run.ID, report.JSONIn(c.out, run, where, page(context.WithoutCancel(ctx), run.ID))))
	}
	if c.full {
		return run, errors.Join(err, c.shown(run.ID, report.Text(c.out, run)))
	}
	return run, errors.Join(err, c.shown(run.ID, report.Brief(c.out, run, page(context.WithoutCancel(ctx), run.ID))))
}

// printing is about signals while the result of a run is written, which takes as
// long as its reader likes: no other run begins, and a reader that does not read
// is not waited for. Nothing is in then.
func (c *cli) printing(run *mishap.Run) (done func()) {
	code := mishap.OutcomeInterrupted
	if run != nil {
		code = mishap.Worst(code, mishap.OutcomeOf(run))
	}
	code = mishap.Worst(code, c.outcome)
	signals, quiet := c.signals("run")
	over := make(chan struct{})
	go func() {
		select {
		case <-signals:
		case <-c.asked: // as the run ended, or before
		case <-over:
			return
		}
		c.interrupted.Store(true)
		select {
		case <-time.After(patience):
			os.Exit(code.ExitCode())
		case <-over:
		}
	}()
	return func() { quiet(); close(over) }
}

// follow shows a run and keeps a picture of it for a second Ctrl-C.
func (c *cli) follow(view live.View) func(mishap.Entry, *mishap.Run) {
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
func (c *cli) stoppable(ctx context.Context, verb string, view live.View) (context.Context, <-chan runner.Stop, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stops := make(chan runner.Stop, 1)
	signals, quiet := c.signals(verb)
	go func() {
		for n := 1; ; n++ {
			var s told
			select {
			case s = <-signals:
			case <-ctx.Done():
				return
			}
			switch n {
			case 1:
				select {
				case c.asked <- struct{}{}:
				default:
				}
				view.Say(fmt.Sprintf("\nmishap: %s: reverting; a second one lists what is still in force\n", signalName(s.signal)))
				stops <- runner.Stop{Cause: mishap.CauseInterrupt, Reason: "interrupted by " + signalName(s.signal), By: whoami()}
			case 2:
				view.Say(fmt.Sprintf("\nmishap: %sa third one leaves that to the keepers\n", c.stillIn()))
			case 3:
				view.Say(fmt.Sprintf("\nmishap: left to the keepers: %s", c.stillIn()))
				cancel(runner.ErrLeave)
			}
		}
	}()
	return ctx, stops, func() { quiet(); cancel(nil) }
}

// stillIn lists what is in, in words.
func (c *cli) stillIn() string {
	run := c.current.Load()
	if run == nil || len(run.Outstanding()) == 0 {
		return "nothing is in force\n"
	}
	var lines strings.Builder
	for _, in := range run.Outstanding() {
		fmt.Fprintf(&lines, "%s on %s is %s; `mishap revert %s` ends it\n", in.Fault, in.Target.Label(), in.State, run.ID)
	}
	return lines.String()
}
