package engine

import (
	"context"
	"errors"

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

	Override *mishap.Override // of what the settings and the ledger say of all runs, for one by hand; may be nil
	Stranded bool             // what is stranded is tried again, also if its server lives
	GiveUp   <-chan struct{}  // ends the tries to write how it ended; nil: one is enough
}

// Run plans and executes an experiment. A run that may not be is answered as
// refused, not as an error; an error means that mishap itself failed.
func (eng *Engine) Run(ctx context.Context, e mishap.Experiment, o RunOptions) (*mishap.Run, error) {
	plan, err := eng.PlanRun(ctx, e, o.NoFault)
	if err != nil && !errors.Is(err, mishap.ErrRefused) {
		return nil, err
	}
	return eng.runByHand(ctx, plan, err, o)
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
	if err != nil {
		if cause, reason, ok := NotBegun(err); ok {
			return eng.keepOut(ctx, Refused(b.First, cause, reason), o)
		}
		return nil, err
	}
	return eng.Carry(ctx, b, refused, o)
}
