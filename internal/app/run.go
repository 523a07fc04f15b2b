package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"mishap"
	"mishap/injectors"
	"mishap/internal/keeper"
	"mishap/internal/ledger"
	"mishap/internal/runner"
)

// haltEvery is how often a run asks whether everything is halted.
const haltEvery = 250 * time.Millisecond

// RunOptions is how a caller follows and ends a run.
type RunOptions struct {
	Seen  func(mishap.Entry, *mishap.Run) // told every entry; may be nil
	Stops <-chan runner.Stop              // ends the run; may be nil
}

// Run plans and executes an experiment. A run that may not be is answered as
// refused, not as an error; an error means that mishap itself failed.
func (a *App) Run(ctx context.Context, e mishap.Experiment, o RunOptions) (*mishap.Run, error) {
	plan, err := a.Plan(ctx, e)
	if err != nil && !Refusal(err) {
		return nil, err
	}
	return a.runPlan(ctx, plan, err, o)
}

// RunPinned executes a plan that was made before: those targets or nothing.
func (a *App) RunPinned(ctx context.Context, plan mishap.Plan, o RunOptions) (*mishap.Run, error) {
	return a.runPlan(ctx, plan, nil, o)
}

// runPlan begins the run in the ledger and executes it, unless planning was
// refused.
func (a *App) runPlan(ctx context.Context, plan mishap.Plan, refused error, o RunOptions) (*mishap.Run, error) {
	book, err := a.ledger(ctx)
	if err != nil {
		return nil, err
	}
	server, err := a.register()
	if err != nil {
		return nil, err
	}
	first := mishap.Entry{Run: newRunID(), Seq: 1, At: time.Now(), Planned: &plan}
	lease, err := book.Begin(ctx, ledger.Start{Server: server, First: first})
	var busy *ledger.BusyError
	switch {
	case errors.As(err, &busy):
		return refuse(first, mishap.StateChange{Cause: mishap.CauseSafeguard, Reason: "safeguard exclusive said no: " + busy.Error()}, o)
	case errors.Is(err, ledger.ErrHalted):
		return refuse(first, mishap.StateChange{Cause: mishap.CauseHalt, Reason: err.Error() + " (`mishap resume` ends it)"}, o)
	case err != nil:
		return nil, err
	}
	if refused != nil {
		return a.refuseBegun(ctx, book, lease, first, refused, o)
	}
	return a.execute(ctx, book, lease, first, o)
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
func (a *App) refuseBegun(ctx context.Context, book *ledger.SQLite, lease ledger.Lease, first mishap.Entry, why error, o RunOptions) (*mishap.Run, error) {
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
	return run, book.Append(ctx, lease, e)
}

// execute runs the plan with a keeper, a socket for stops, and an eye on halt.
func (a *App) execute(ctx context.Context, book *ledger.SQLite, lease ledger.Lease, first mishap.Entry, o RunOptions) (run *mishap.Run, err error) {
	plan := *first.Planned
	faults, err := a.faults(plan.Experiment)
	if err != nil {
		return nil, err
	}
	measured, err := makeProbes(plan.Experiment)
	if err != nil {
		return nil, err
	}
	r := &runner.Runner{
		Journal: toldJournal{journal{book, lease}, a.around}, Faults: faults, Probes: measured, Seen: o.Seen, Log: a.log,
		Restore:      func(in mishap.Injection) (mishap.Injector, error) { return injectors.Restore(a.injectorDeps(), in) },
		RevertWithin: a.Settings.RevertWithin.Std(), Renew: a.Settings.Lease.Std() / 3,
	}
	pid := 0
	if needsKeeper(faults) {
		k, err := a.startKeeper(first.Run)
		if err != nil {
			return a.failBegun(ctx, book, lease, first, err, o)
		}
		defer func() { a.endKeeper(ctx, k, run) }()
		r.Keeper, pid = toldKeeper{k, a.around}, k.PID()
	}
	if r.Guards, err = guards(a.safeguards(first.Run, func() int { return pid }), plan.Experiment); err != nil {
		return a.failBegun(ctx, book, lease, first, err, o)
	}
	stops, done, err := a.listen(ctx, lease, o.Stops)
	if err != nil {
		return a.failBegun(ctx, book, lease, first, err, o)
	}
	defer done()
	r.Stops = stops
	return r.Run(ctx, first)
}

// failBegun ends a run for which mishap could not be set up.
func (a *App) failBegun(ctx context.Context, book *ledger.SQLite, lease ledger.Lease, first mishap.Entry, why error, o RunOptions) (*mishap.Run, error) {
	change := mishap.StateChange{To: mishap.Refused, Cause: mishap.CauseInternal, Reason: "mishap failed: " + why.Error()}
	run, err := refuse(first, change, o)
	return run, errors.Join(err, book.Append(ctx, lease, mishap.Entry{Run: lease.Run, Seq: 2, At: time.Now(), State: &change}))
}

func needsKeeper(faults []runner.Fault) bool {
	for _, f := range faults {
		if f.Keeper == mishap.KeeperProcess {
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
	return keeper.Start([]string{program, "keeper", "--state", a.Settings.State, "--run", run, "--revert-within", a.Settings.RevertWithin.String()})
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

// listen gathers what may stop a run: its caller, other processes, and halt.
func (a *App) listen(ctx context.Context, lease ledger.Lease, own <-chan runner.Stop) (<-chan runner.Stop, func(), error) {
	stops := make(chan runner.Stop, 4)
	path, err := socketPath(a.Settings.State, lease.Server)
	if err != nil {
		return nil, nil, err
	}
	closeSocket, err := listenStops(path, lease.Run, stops)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	go a.watchHalt(ctx, stops)
	go func() {
		for {
			select {
			case s := <-own:
				offer(stops, s)
			case <-ctx.Done():
				return
			}
		}
	}()
	return stops, func() { cancel(); closeSocket() }, nil
}

// offer hands a stop over, unless the run is being stopped already.
func offer(stops chan<- runner.Stop, s runner.Stop) {
	select {
	case stops <- s:
	default:
	}
}

// watchHalt stops the run when somebody halts everything. That the ledger
// cannot be asked is the safeguard's to say.
func (a *App) watchHalt(ctx context.Context, stops chan<- runner.Stop) {
	tick := time.NewTicker(haltEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if h, err := a.Halted(ctx); err == nil && h != nil {
			offer(stops, runner.Stop{Cause: mishap.CauseHalt, Reason: h.String(), By: h.By})
			return
		}
	}
}

// journal writes a run under its lease.
type journal struct {
	book  *ledger.SQLite
	lease ledger.Lease
}

// Append writes entries, all or none.
func (j journal) Append(ctx context.Context, entries ...mishap.Entry) error {
	return j.book.Append(ctx, j.lease, entries...)
}

// Prepare writes an injection with its undo.
func (j journal) Prepare(ctx context.Context, e mishap.Entry, in mishap.Injection) error {
	return j.book.Prepare(ctx, j.lease, e, in)
}

// newRunID is short enough to type, and random.
func newRunID() string { return strings.ToLower(rand.Text()[:8]) }
