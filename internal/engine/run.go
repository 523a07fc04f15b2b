package engine

import (
	"context"
	"errors"
	"time"

	"mishap"
	"mishap/internal/ledger"
	"mishap/internal/runner"
)

// RunOptions is how a caller follows and ends a run.
type RunOptions struct {
	Seen     func(mishap.Entry, *mishap.Run) // told every entry; may be nil
	Stops    <-chan runner.Stop              // ends the run; may be nil
	FromUndo func(string)                    // told of what was reverted from an undo file alone; may be nil
	Waits    func(Waiting)                   // told what a takeover goes through, by several goroutines; may be nil

	ID      string                   // of the run; empty: a new one
	Trigger *mishap.Trigger          // why it begins; nil: by hand
	Admit   func(mishap.Facts) error // the governor; nil admits
	Advance *ledger.Advance          // of the schedule that it is of; nil if of none
	InForce *ledger.Revision         // that the experiment is of; nil if of none
	Guards  []runner.Guard           // beside those of the experiment
	Ready   *mishap.Ready            // how the steady state is waited for, in place of what the plan says; nil: as that says
	NoFault bool                     // A/A: the faults are left out

	Wait   time.Duration // how long another run that is in the way is waited for, and the steady state after that
	Behind func(string)  // told which run that is; may be nil

	Override *mishap.Override // of what the settings and the ledger say of all runs, for one by hand; may be nil
	Stranded bool             // what is stranded is tried again, also if its server lives
	GiveUp   <-chan struct{}  // ends the tries to write how it ended; nil: one is enough

	until time.Time // another run is waited for
}

// Run plans and executes an experiment. A run that may not be is answered as
// refused, not as an error; an error means that mishap itself failed.
func (eng *Engine) Run(ctx context.Context, e mishap.Experiment, o RunOptions) (*mishap.Run, error) {
	for o.until = time.Now().Add(o.Wait); ; o = o.shorter() {
		plan, refused := eng.PlanRun(ctx, e, o.NoFault)
		if refused != nil && !errors.Is(refused, mishap.ErrRefused) {
			return nil, refused
		}
		run, err := eng.runByHand(ctx, plan, refused, o)
		var busy *ledger.BusyError
		if run != nil || !errors.As(err, &busy) {
			return run, err
		}
		if stop := eng.awaitOthers(ctx, plan, busy, o); stop != nil {
			return eng.keepOut(ctx, Refused(Planned(NewRunID(), o.Trigger, plan), stop.Cause, stop.Reason), o)
		}
	}
}

// shorter is with what is left of the wait for the steady state.
func (o RunOptions) shorter() RunOptions {
	if o.Ready != nil {
		ready := *o.Ready
		ready.Within = min(ready.Within, mishap.Duration(max(time.Until(o.until), 0)))
		o.Ready = &ready
	}
	return o
}

const othersEvery = 250 * time.Millisecond // how often it is asked whether they have ended

// awaitOthers waits until no other run is in the way of a plan, and no longer than it may;
// what was found of its targets may be another by then, so that it must be planned anew.
// It answers what stopped the wait.
func (eng *Engine) awaitOthers(ctx context.Context, plan mishap.Plan, busy error, o RunOptions) *runner.Stop {
	if o.Behind != nil {
		o.Behind(busy.Error())
	}
	for time.Now().Before(o.until) {
		select {
		case <-ctx.Done():
			return &runner.Stop{Cause: mishap.CauseInterrupt, Reason: "interrupted while another run was waited for"}
		case s := <-o.Stops:
			return &s
		case <-time.After(min(othersEvery, time.Until(o.until))):
		}
		if others, err := eng.member.Others(ctx, "", plan); err == nil && len(others) == 0 {
			return nil
		}
	}
	return nil
}

// runByHand is runPlan within the rules of the settings.
func (eng *Engine) runByHand(ctx context.Context, plan mishap.Plan, refused error, o RunOptions) (*mishap.Run, error) {
	o, err := eng.binding(ctx, plan, o)
	if err != nil {
		return nil, err
	}
	return eng.runPlan(ctx, plan, refused, o)
}

// RunPinned executes a plan that was made before: those targets or nothing.
func (eng *Engine) RunPinned(ctx context.Context, plan mishap.Plan, o RunOptions) (*mishap.Run, error) {
	return eng.runByHand(ctx, plan, nil, o)
}

// runPlan begins the run in the ledger and executes it, unless planning was
// refused.
func (eng *Engine) runPlan(ctx context.Context, plan mishap.Plan, refused error, o RunOptions) (*mishap.Run, error) {
	b, err := eng.Begin(ctx, plan, o)
	var busy *ledger.BusyError
	if errors.As(err, &busy) && time.Now().Before(o.until) {
		return nil, err
	}
	if err != nil {
		if cause, reason, ok := NotBegun(err); ok {
			return eng.keepOut(ctx, Refused(b.First, cause, reason), o)
		}
		return nil, err
	}
	return eng.Carry(ctx, b, refused, o)
}
