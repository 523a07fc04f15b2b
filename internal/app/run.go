package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"

	"mishap"
	"mishap/internal/keeper"
	"mishap/internal/ledger"
	"mishap/internal/member"
	"mishap/internal/runner"
)

// RunOptions is how a caller follows and ends a run.
type RunOptions struct {
	Seen  func(mishap.Entry, *mishap.Run) // told every entry; may be nil
	Stops <-chan runner.Stop              // ends the run; may be nil
	Stray func(string)                    // told of what was reverted from an undo file alone; may be nil

	ID      string                   // of the run; empty: a new one
	Trigger *mishap.Trigger          // why it begins; nil: by hand
	Admit   func(mishap.Facts) error // the governor; nil admits
	Advance *ledger.Advance          // of the schedule that it is of; nil if of none
	InForce *ledger.Revision         // that the experiment is of; nil if of none
	Guards  []runner.Guard           // beside those of the experiment
	NoFault bool                     // A/A: the faults are left out

	Override *mishap.Override // of what the settings and the ledger say of all runs, for one by hand; may be nil
	Stranded bool             // what is stranded is tried again, also if its server lives
	GiveUp   <-chan struct{}  // ends the tries to write how it ended; nil: one is enough
}

// Run plans and executes an experiment. A run that may not be is answered as
// refused, not as an error; an error means that mishap itself failed.
func (a *App) Run(ctx context.Context, e mishap.Experiment, o RunOptions) (*mishap.Run, error) {
	plan, err := a.plan(ctx, e, o.NoFault)
	if err != nil && !errors.Is(err, mishap.ErrRefused) {
		return nil, err
	}
	return a.runByHand(ctx, plan, err, o)
}

// runByHand is runPlan within the rules of the settings.
func (a *App) runByHand(ctx context.Context, plan mishap.Plan, refused error, o RunOptions) (*mishap.Run, error) {
	o, err := a.binding(ctx, plan, o)
	if err != nil {
		return nil, err
	}
	return a.runPlan(ctx, plan, refused, o)
}

// RunPinned executes a plan that was made before: those targets or nothing.
func (a *App) RunPinned(ctx context.Context, plan mishap.Plan, o RunOptions) (*mishap.Run, error) {
	return a.runByHand(ctx, plan, nil, o)
}

// runPlan begins the run in the ledger and executes it, unless planning was
// refused.
func (a *App) runPlan(ctx context.Context, plan mishap.Plan, refused error, o RunOptions) (*mishap.Run, error) {
	begun, err := a.begin(ctx, plan, o)
	if err != nil {
		if why, ok := notBegun(err); ok {
			return refuse(begun.first, why, o)
		}
		return nil, err
	}
	return a.carry(ctx, begun, refused, o)
}

// begun is a run that the ledger has, and this process owns.
type begun struct {
	lease ledger.Lease
	first mishap.Entry
	done  func() // nobody is on it any more
}

// begin records the run. The first entry is answered also if it may not begin.
func (a *App) begin(ctx context.Context, plan mishap.Plan, o RunOptions) (begun, error) {
	id := o.ID
	if id == "" {
		id = newRunID()
	}
	if err := a.Blocked(keysOf(plan)); err != nil {
		return begun{first: mishap.Entry{Run: id, Seq: 1, At: time.Now(), Trigger: o.Trigger, Planned: &plan}}, err
	}
	b := begun{done: a.Attend(id), first: mishap.Entry{Run: id, Seq: 1, At: time.Now(), Trigger: o.Trigger, Planned: &plan}}
	book, err := a.Ledger(ctx)
	if err != nil {
		return b, err
	}
	server, err := a.Join(ctx, "run")
	if err != nil {
		return b, err
	}
	if a.Fenced() {
		return b, member.ErrLeaseLost
	}
	if o.Trigger != nil {
		trigger := *o.Trigger
		trigger.Incarnation = book.Incarnation(server)
		b.first.Trigger = &trigger
	}
	start := ledger.Start{Server: server, First: b.first, Admit: o.Admit, Advance: o.Advance, InForce: o.InForce}
	if o.Override != nil {
		start.Act = &ledger.Act{At: b.first.At, By: o.Override.By, What: fmt.Sprintf("override for run %s of %s: %s", id, plan.Experiment.Name, o.Override.Reason)}
	}
	b.lease, err = book.Begin(ctx, start)
	if err != nil {
		b.done() // if it was written all the same, it is found unattended
	}
	return b, err
}

// notBegun says why a run may not begin, if that is what the error is about.
func notBegun(err error) (mishap.StateChange, bool) {
	var busy *ledger.BusyError
	var denial *mishap.Denial
	why := mishap.StateChange{To: mishap.Refused}
	switch {
	case errors.Is(err, mishap.ErrStillIn):
		why.Cause, why.Reason = mishap.CauseSafeguard, err.Error()
		if hint := mishap.HintOf(err); hint != "" {
			why.Reason += " (" + hint + ")"
		}
	case errors.As(err, &busy):
		why.Cause, why.Reason = mishap.CauseBusy, "safeguard exclusive said no: "+busy.Error()
	case errors.Is(err, ledger.ErrHalted):
		why.Cause, why.Reason = mishap.CauseHalt, err.Error()+" (`mishap resume` ends it)"
	case errors.As(err, &denial):
		why.Cause, why.Reason = denial.Cause, denial.Reason
	default:
		return why, false
	}
	return why, true
}

// carry executes a run that has begun, or records why its plan was refused.
func (a *App) carry(ctx context.Context, b begun, refused error, o RunOptions) (*mishap.Run, error) {
	defer b.done()
	book, err := a.Ledger(ctx)
	if err != nil {
		return nil, err
	}
	if refused != nil {
		return a.refuseBegun(ctx, book, b.lease, b.first, refused, o)
	}
	return a.execute(ctx, book, b.lease, b.first, o)
}

// refuse answers a run that could not begin, and so is in no ledger.
func refuse(first mishap.Entry, why mishap.StateChange, o RunOptions) (*mishap.Run, error) {
	why.To = mishap.Refused
	entries := []mishap.Entry{first, {Run: first.Run, Seq: 2, At: time.Now(), State: &why}}
	run, err := mishap.Replay(entries)
	if err == nil && o.Seen != nil {
		for _, e := range entries {
			o.Seen(e, run)
		}
	}
	return run, err
}

// refuseBegun records why the plan could not be made.
func (a *App) refuseBegun(ctx context.Context, book ledger.Ledger, lease ledger.Lease, first mishap.Entry, why error, o RunOptions) (*mishap.Run, error) {
	reason := why.Error()
	var hinted *mishap.Hinted
	if errors.As(why, &hinted) {
		reason += " (" + hinted.Hint + ")"
	}
	run, err := refuse(first, mishap.StateChange{Cause: mishap.CauseTarget, Reason: reason}, o)
	if err != nil {
		return run, err
	}
	e := mishap.Entry{Run: run.ID, Seq: 2, At: run.EndedAt, State: &mishap.StateChange{To: mishap.Refused, Cause: run.Cause, Reason: reason}}
	return run, insist(o.GiveUp, func() error { return book.Append(ctx, lease, e) })
}

// insist tries to write how a run ended, until it is written or given up: it
// would keep its locks for ever.
func insist(giveUp <-chan struct{}, write func() error) error {
	waits := backoff.NewExponentialBackOff(backoff.WithInitialInterval(100*time.Millisecond), backoff.WithMaxInterval(5*time.Second), backoff.WithMaxElapsedTime(0))
	for {
		err := write()
		if err == nil || giveUp == nil || errors.Is(lost(err), runner.ErrLost) {
			return err
		}
		select {
		case <-giveUp:
			return err
		case <-time.After(waits.NextBackOff()):
		}
	}
}

// execute runs the plan with a keeper, a socket for stops, and an eye on halt.
func (a *App) execute(ctx context.Context, book ledger.Ledger, lease ledger.Lease, first mishap.Entry, o RunOptions) (run *mishap.Run, err error) {
	plan := *first.Planned
	faults, err := a.faults(plan)
	if err != nil {
		return a.failBegun(ctx, book, lease, first, err, o)
	}
	measured, err := a.MakeProbes(plan.Experiment)
	if err != nil {
		return a.failBegun(ctx, book, lease, first, err, o)
	}
	r := &runner.Runner{
		Journal: toldJournal{journal{book, lease}, a.around}, Faults: faults, Probes: measured, Seen: a.Watch(o.Seen), Log: a.log,
		Restore: a.Restore, Yield: a.yieldIfLapsed(book, lease.Server), Confirm: a.Confirming(book, lease, first.At),
		RevertWithin: a.Settings.RevertWithin.Std(), Renew: a.Settings.Lease.Std() / 3, Inject: a.InjectWithin(), GiveUp: o.GiveUp,
	}
	letGo, err := a.comparer.compare(ctx, book, r, first.Run, plan)
	if err != nil {
		return a.failBegun(ctx, book, lease, first, err, o)
	}
	defer letGo()
	pid := 0
	if needsKeeper(faults) {
		k, err := a.startKeeper(first.Run)
		if err != nil {
			return a.failBegun(ctx, book, lease, first, err, o)
		}
		defer func() { a.endKeeper(ctx, k, run) }()
		r.Keeper, pid = toldKeeper{k, a.around}, k.PID()
	}
	if r.Guards, err = guards(a.SafeguardsOf(first.Run, func() int { return pid }), plan.Experiment); err != nil {
		return a.failBegun(ctx, book, lease, first, err, o)
	}
	r.Guards = append(r.Guards, o.Guards...)
	stops, done, err := a.Listen(ctx, lease, o.Stops)
	if err != nil {
		return a.failBegun(ctx, book, lease, first, err, o)
	}
	defer done()
	r.Stops = stops
	return r.Run(ctx, first)
}

// failBegun ends a run for which mishap could not be set up.
func (a *App) failBegun(ctx context.Context, book ledger.Ledger, lease ledger.Lease, first mishap.Entry, why error, o RunOptions) (*mishap.Run, error) {
	change := mishap.StateChange{To: mishap.Refused, Cause: mishap.CauseInternal, Reason: "mishap failed: " + why.Error()}
	run, err := refuse(first, change, o)
	e := mishap.Entry{Run: lease.Run, Seq: 2, At: time.Now(), State: &change}
	return run, errors.Join(err, insist(o.GiveUp, func() error { return book.Append(ctx, lease, e) }))
}

func needsKeeper(faults []runner.Fault) bool {
	for _, f := range faults {
		if f.Kind.Keeper == mishap.KeeperProcess {
			return true
		}
	}
	return false
}

// startKeeper starts this program again as the keeper of a run.
func (a *App) startKeeper(run string) (*keeper.Keeper, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("start keeper: %w", err)
	}
	argv := []string{program, "keeper", "--state", a.Settings.State, "--run", run, "--revert-within", a.Settings.RevertWithin.String()}
	if ledger.IsPostgres(a.Settings.Ledger) {
		argv = append(argv, "--lease", a.Settings.ServerLease.String())
	}
	return keeper.Start(argv)
}

// endKeeper says goodbye, unless the run was left to its keeper.
// What a lost keeper left of itself is removed when the run has put all back.
func (a *App) endKeeper(ctx context.Context, k *keeper.Keeper, run *mishap.Run) {
	if errors.Is(context.Cause(ctx), runner.ErrLeave) {
		return // the end of this process is the end of the pipe
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err := k.Close(ctx)
	if err == nil && run != nil && len(run.Outstanding()) == 0 {
		err = keeper.Remove(a.Settings.State, run.ID)
	}
	if err != nil {
		a.log.Warn("end keeper", "error", err)
	}
}

// journal writes a run under its lease.
type journal struct {
	book  ledger.Ledger
	lease ledger.Lease
}

// Append writes entries, all or none.
func (j journal) Append(ctx context.Context, entries ...mishap.Entry) error {
	return lost(j.book.Append(ctx, j.lease, entries...))
}

// Prepare writes an injection with its undo.
func (j journal) Prepare(ctx context.Context, e mishap.Entry, in mishap.Injection) error {
	return lost(j.book.Prepare(ctx, j.lease, e, in))
}

// lost tells the runner what it need not try again: the run is another server's, or
// of a database that this one has replaced.
func lost(err error) error {
	if errors.Is(err, ledger.ErrFenced) || errors.Is(err, ledger.ErrUnknownRun) {
		return fmt.Errorf("%w: %w", runner.ErrLost, err)
	}
	return err
}

// newRunID is short enough to type, and random.
func newRunID() string { return strings.ToLower(rand.Text()[:8]) }
