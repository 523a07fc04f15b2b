package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"mishap"
	"mishap/internal/api"
	"mishap/internal/ledger"
)

// Abort asks the server of a run to stop it, and waits until it has begun to
// revert.
func (d *Desk) Abort(ctx context.Context, which, by, reason string) (api.Asked, error) {
	record, err := d.toAbort(ctx, which)
	if err != nil {
		return api.Asked{}, err
	}
	asked := api.Asked{Run: record.ID, Ledger: d.member.Where(), Server: d.member.WhoServes(record.Server)}
	if !record.Active() {
		return asked, mishap.Refusal(fmt.Errorf("abort run %s: it is %s already", record.ID, record.State))
	}
	book, err := d.member.Ledger(ctx)
	if err != nil {
		return asked, err
	}
	err = d.member.StopRun(ctx, book, record, by, reason)
	if err != nil {
		err = fmt.Errorf("abort run %s: %w (it belongs to %s of ledger %s)", record.ID, err, asked.Server, asked.Ledger)
		if record.State.Touched() && !errors.Is(err, mishap.ErrStillIn) {
			err = mishap.StillIn(mishap.WithHint(err, "if the process does not answer, end it: the keeper of the run reverts, then `mishap revert "+record.ID+"`"))
		}
	}
	return asked, err
}

// toAbort is the run that is meant: "last" is the latest one that is under way, and
// only without any the latest of all.
func (d *Desk) toAbort(ctx context.Context, which string) (ledger.Record, error) {
	if which == "last" && d.member.HasLedger(ctx) {
		book, err := d.member.Ledger(ctx)
		if err != nil {
			return ledger.Record{}, err
		}
		active, err := book.Unfinished(ctx)
		if err != nil {
			return ledger.Record{}, err
		}
		if len(active) > 0 {
			return slices.MaxFunc(active, func(a, b ledger.Record) int { return a.Began.Compare(b.Began) }), nil
		}
	}
	return d.member.Find(ctx, which)
}
