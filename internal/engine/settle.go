package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mishap"
)

// Settle records that a person has put back what is stranded.
func (t *Takeover) Settle(ctx context.Context, which, by, reason string) (*mishap.Run, error) {
	orphans, err := t.revertible(ctx)
	if err != nil {
		return nil, err
	}
	one, err := t.chosen(ctx, which, orphans)
	if err != nil {
		return nil, err
	}
	if len(one) == 0 || one[0].Run.State != mishap.Stranded && !one[0].Away {
		return nil, mishap.Refusal(mishap.WithHint(fmt.Errorf("settle run %s: it is not stranded", which), "`mishap revert` reverts it; only what that cannot do is settled by a person"))
	}
	book, err := t.member.Ledger(ctx)
	if err != nil {
		return nil, err
	}
	if err := t.awaitKeeper(ctx, one[0].ID, RunOptions{}); err != nil {
		return nil, err
	}
	server, err := t.member.Join(ctx, "revert")
	if err != nil {
		return nil, err
	}
	lease, err := book.TakeOver(ctx, one[0].Lease(), server)
	if err != nil {
		return nil, err
	}
	run := one[0].Run
	journal, err := book.Entries(ctx, run.ID)
	if err == nil {
		run, err = mishap.Replay(journal)
	}
	if err != nil {
		return nil, err
	}
	var entries []mishap.Entry
	add := func(e mishap.Entry) error {
		e.Run, e.Seq, e.At = run.ID, run.Seq+1, time.Now()
		entries = append(entries, e)
		return run.Apply(e)
	}
	if run.State != mishap.Stranded {
		err = strand(run, add)
	}
	for _, in := range run.Outstanding() {
		err = errors.Join(err, add(mishap.Entry{Injection: &mishap.InjectionChange{ID: in.ID, To: mishap.InjectionSuperseded, Detail: reason, By: by}}))
	}
	err = errors.Join(err, add(mishap.Entry{State: &mishap.StateChange{To: mishap.Completed, Cause: mishap.CauseSettled, Reason: "settled by " + by + ": " + reason, By: by}}))
	if err != nil {
		return nil, err
	}
	if err := book.Append(ctx, lease, entries...); err != nil {
		return nil, err
	}
	injections, err := book.Injections(ctx, run.ID)
	if err != nil {
		return run, err
	}
	return run, t.aid.Discard(ctx, run, injections)
}

// strand records that nobody can reach what a lost machine has in itself, so
// that a person can settle it.
func strand(run *mishap.Run, add func(mishap.Entry) error) error {
	why := "the machine of the run was lost, and what is in it cannot be reached"
	if !run.State.Touched() {
		return mishap.Refusal(fmt.Errorf("settle run %s: it touched nothing", run.ID))
	}
	var err error
	if run.State != mishap.Reverting {
		err = add(mishap.Entry{State: &mishap.StateChange{To: mishap.Reverting, Cause: mishap.CauseCrash, Reason: why}})
	}
	for _, in := range run.Outstanding() {
		if in.State != mishap.InjectionReverting && in.State != mishap.InjectionStranded {
			err = errors.Join(err, add(mishap.Entry{Injection: &mishap.InjectionChange{ID: in.ID, To: mishap.InjectionReverting}}))
		}
		if in.State != mishap.InjectionStranded {
			err = errors.Join(err, add(mishap.Entry{Injection: &mishap.InjectionChange{ID: in.ID, To: mishap.InjectionStranded, Detail: why}}))
		}
	}
	return errors.Join(err, add(mishap.Entry{State: &mishap.StateChange{To: mishap.Stranded, Cause: mishap.CauseCrash, Reason: why}}))
}
