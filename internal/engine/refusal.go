package engine

import (
	"context"
	"errors"
	"time"

	"mishap"
	"mishap/internal/ledger"
)

// Planned is the first entry of a run.
func Planned(id string, trigger *mishap.Trigger, plan mishap.Plan) mishap.Entry {
	return mishap.Entry{Run: id, Seq: 1, At: time.Now(), Trigger: trigger, Planned: &plan}
}

// Unplanned stands for the plan of a run that was not planned.
func Unplanned(e mishap.Experiment) mishap.Plan {
	return mishap.Plan{Experiment: e, Created: time.Now().UTC().Round(time.Second)}
}

// Refused is the record of a run that does not start: what was to begin, and why it
// does not.
func Refused(first mishap.Entry, cause mishap.Cause, reason string) ledger.Refusal {
	why := mishap.StateChange{To: mishap.Refused, Cause: cause, Reason: reason}
	return ledger.Refusal{First: first, Why: mishap.Entry{Run: first.Run, Seq: first.Seq + 1, At: time.Now(), State: &why}}
}

// tellRefused answers a run that does not start, and tells who follows it.
func tellRefused(r ledger.Refusal, o RunOptions) (*mishap.Run, error) {
	run, err := r.Replay()
	if err == nil && o.Seen != nil {
		o.Seen(r.First, run)
		o.Seen(r.Why, run)
	}
	return run, err
}

// keepOut records a run that may not begin, and answers it. One that cannot be
// recorded does not begin either.
func (eng *Engine) keepOut(ctx context.Context, r ledger.Refusal, o RunOptions) (*mishap.Run, error) {
	run, err := tellRefused(r, o)
	return run, errors.Join(err, insist(o.GiveUp, func() error {
		book, err := eng.member.Ledger(ctx)
		if err != nil {
			return err
		}
		server, err := eng.member.Join(ctx, "run")
		if err != nil {
			return err
		}
		return book.Refuse(ctx, server, []ledger.Refusal{r})
	}))
}

// refuse ends a run that has begun and whose plan was refused, or for which mishap
// could not be set up.
func (eng *Engine) refuse(ctx context.Context, b Begun, cause mishap.Cause, reason string, o RunOptions) (*mishap.Run, error) {
	r := Refused(b.First, cause, reason)
	run, err := tellRefused(r, o)
	return run, errors.Join(err, insist(o.GiveUp, func() error { return b.book.Append(ctx, b.lease, r.Why) }))
}

// fail is refuse for what mishap itself could not do.
func (eng *Engine) fail(ctx context.Context, b Begun, why error, o RunOptions) (*mishap.Run, error) {
	return eng.refuse(ctx, b, mishap.CauseInternal, "mishap failed: "+why.Error(), o)
}
