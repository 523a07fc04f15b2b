// Package runner executes a plan: it checks, injects, holds, reverts and
// verifies, and writes every step to the run's journal before or as it happens.
//
// All of a run's state is changed by one goroutine, its loop. Probes,
// safeguards, looks at the fault's effect, the calls that inject and revert, and
// the writing of the journal are made by others, which only send what they found,
// so that nothing that is still being asked keeps a fault in. Once the state injecting
// is written there is no way out of [Runner.Run] that does not revert, except a
// caller that cancels with [ErrLeave]: then the keepers end the faults.
package runner

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"mishap"
	"mishap/internal/bounded"
	"mishap/internal/revert"
)

// ErrLeave is the cause with which a caller cancels a run's context to leave
// its faults to their keepers.
var ErrLeave = errors.New("left to the keepers")

// ErrLost is a run that another server owns: nothing can be written any more,
// and nothing need be.
var ErrLost = errors.New("another server owns the run")

// Journal is where a run is written. Both calls are durable when they return.
// An error that wraps [ErrLost] will stay.
type Journal interface {
	// Append writes entries, in order, all or none.
	Append(ctx context.Context, entries ...mishap.Entry) error
	// Prepare writes an entry together with the injection that it announces,
	// its undo and its resource keys.
	Prepare(ctx context.Context, e mishap.Entry, in mishap.Injection) error
}

// Keeper injects, holds and reverts for a run, and reverts by itself when the
// run is gone.
type Keeper interface {
	// Hold makes the injection known and durable; it must come before Inject.
	Hold(ctx context.Context, in mishap.Injection) error
	// Inject and Revert make one call on injections that one call takes, and answer
	// for each in their order.
	Inject(ctx context.Context, ids []string) []error
	Revert(ctx context.Context, ids []string) []mishap.Reply[mishap.Reverted]
	// Lost is closed when the keeper is dead or silent, and was killed.
	Lost() <-chan struct{}
}

// Renewer is an injector whose fault ends by itself unless it is renewed.
type Renewer interface {
	Renew(ctx context.Context, in mishap.Injection) error
}

// Comparer compares the arms of a run.
type Comparer interface {
	// Watch takes in what the arms do until ctx ends, and tells of it: about
	// once a second, and at once when the outcome changes.
	Watch(ctx context.Context, tell func(mishap.Comparison))
	// Injecting says that the faults are injected from a time on, and returns before
	// the first is. What began before is baseline. An error is a reason to put in
	// nothing.
	Injecting(ctx context.Context, at time.Time) error
}

// Stop asks a run to end; the run reverts and records why.
type Stop struct {
	Cause  mishap.Cause
	Reason string
	By     string
}

// Guard is a safeguard with its name.
type Guard struct {
	Name string
	mishap.Safeguard
}

// Fault is one fault of the plan with the code that causes and undoes it.
type Fault struct {
	mishap.Fault
	Injector mishap.Injector
	Kind     mishap.InjectorKind // what is said of the injector
}

// Prepare finds the injections of the fault.
func (f Fault) Prepare(ctx context.Context, req mishap.Request) ([]mishap.Injection, error) {
	req.Fault = f.Fault
	found, err := f.Injector.Prepare(ctx, req)
	if err != nil {
		return nil, err
	}
	found = f.Kind.Complete(found)
	for i := range found {
		found[i].Fault, found[i].For = f.Name, f.For
	}
	return found, nil
}

// Runner executes one plan.
type Runner struct {
	Journal Journal
	Faults  []Fault
	Probes  []mishap.Probe // one per line of the steady state, in its order
	Guards  []Guard
	Keeper  Keeper   // nil if no fault needs one
	Vault   Vault    // nil if nothing is kept in one
	Arms    *Fault   // sets up the arms: the first in, the last out; nil if there are none
	Compare Comparer // of the arms; nil if there are none
	// Restore makes the injector of a recorded injection.
	Restore func(mishap.Injection) (mishap.Injector, error)
	Stops   <-chan Stop
	// Seen is told every entry, after the run has applied it; it must not
	// block. May be nil.
	Seen func(mishap.Entry, *mishap.Run)
	// Yield is asked before a revert. A reason leaves the injection alone: another
	// server has reverted it, and what is there now is not this run's. An error means
	// that this cannot be known yet. Nil: everything is this run's to revert.
	Yield func(ctx context.Context, in mishap.Injection) (reason string, err error)
	// Taken says of what another run has by now, of whatever ledger, that it is not this
	// run's to revert either. Nil: no other can have it.
	Taken revert.Taken
	// Confirm is asked right before each injecting call. An error means that what the
	// run knew no longer holds: nothing is injected. Nil: it always holds.
	Confirm func(ctx context.Context) error
	// GiveUp ends the tries to write what the journal did not take, once the
	// run is over. Nil: it was tried often enough.
	GiveUp <-chan struct{}
	Log    *slog.Logger

	RevertWithin time.Duration // how long a revert is tried before it is stranded, if its kind does not say longer
	Ready        *mishap.Ready // how the steady state is waited for, in place of what the plan says; nil: as that says
	Renew        time.Duration // time between two renewals of a fault that expires
	Look         time.Duration // time between two looks at effect and safeguards; 0 means 1 s
	Inject       time.Duration // longest injecting call; 0 means [mishap.CallWithin]. It must end before the server's lease can
}

const (
	defaultLook   = time.Second
	prepareWithin = 2 * time.Minute // all calls to find the targets of a fault
	checkTimeout  = 5 * time.Second // one safeguard's answer
)

// Run executes the plan whose journal has been begun with first. It returns the
// run as far as it came; an error means that mishap itself failed, and the run
// says so too.
func (r *Runner) Run(ctx context.Context, first mishap.Entry) (*mishap.Run, error) {
	rec, err := newRecorder(r.Journal, r.Seen, []mishap.Entry{first})
	if err != nil {
		return nil, err
	}
	x := r.execution(rec)
	defer x.disown()
	defer x.settleVault(ctx)
	if !x.check(ctx) {
		return rec.run, rec.settle(ctx, r.GiveUp)
	}
	x.hold(ctx)
	x.end(ctx)
	return rec.run, rec.settle(ctx, r.GiveUp)
}

// all are the faults, and the arms before them.
func (r *Runner) all() []Fault {
	if r.Arms == nil {
		return r.Faults
	}
	return append([]Fault{*r.Arms}, r.Faults...)
}

// Resume brings the run of a lost server, or one that is stranded, to its end:
// what may still be in force is reverted, and the steady state verified. It never
// injects. Entries are the journal so far; injections carry their undo.
func (r *Runner) Resume(ctx context.Context, entries []mishap.Entry, injections []mishap.Injection, why mishap.StateChange) (*mishap.Run, error) {
	rec, err := newRecorder(r.Journal, r.Seen, entries)
	if err != nil {
		return nil, err
	}
	if rec.over() { // its server came to that after all
		return rec.run, nil
	}
	x := r.execution(rec)
	defer x.disown()
	for _, in := range injections {
		x.undo[in.ID] = in
	}
	if r.Vault != nil {
		r.Vault.Adopt(injections)
		defer x.settleVault(ctx)
	}
	if !rec.run.State.Touched() {
		why.To = mishap.Refused
		rec.note(mishap.Entry{State: &why})
		return rec.run, rec.settle(ctx, r.GiveUp)
	}
	x.stop = &why
	x.ownAgain(ctx)
	x.end(ctx)
	return rec.run, rec.settle(ctx, r.GiveUp)
}

// execution is one run under way. Only its loop touches it.
type execution struct {
	*Runner
	rec      *recorder
	turns    bounded.Turns               // of the calls that inject and revert
	settling revert.Settling             // of what they answer
	found    []mishap.Injection          // what was prepared: the targets as they are now
	undo     map[string]mishap.Injection // by id, with undo: what reverting needs
	stop     *mishap.StateChange         // why holding ended
	owned    *owned                      // targets that know that they belong to this run
}

func (r *Runner) execution(rec *recorder) *execution {
	if r.Look == 0 {
		r.Look = defaultLook
	}
	if r.Inject == 0 {
		r.Inject = mishap.CallWithin
	}
	if r.Log == nil {
		r.Log = slog.New(slog.DiscardHandler)
	}
	return &execution{Runner: r, rec: rec, undo: map[string]mishap.Injection{}, owned: &owned{every: r.Look, news: make(chan struct{}, 1)}}
}

// end reverts everything and verifies, until nothing is seen any more.
func (x *execution) end(ctx context.Context) {
	const mostReturns = 3
	for range mostReturns {
		if !x.revertAll(ctx) {
			return
		}
		if again := x.verify(ctx); again == nil {
			return
		} else {
			x.stop = again
		}
	}
	x.strandPersisting()
}
