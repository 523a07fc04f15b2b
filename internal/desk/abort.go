package desk

import (
	"context"
	"errors"
	"fmt"

	"mishap"
	"mishap/internal/api"
)

// Abort asks the server of a run to stop it, and waits until it has begun to
// revert.
func (d *Desk) Abort(ctx context.Context, which, by, reason string) (api.Asked, error) {
	record, err := d.member.FindOngoing(ctx, which)
	if err != nil {
		return api.Asked{}, err
	}
	asked := api.Asked{Run: record.ID, Ledger: d.member.Where(), Server: d.member.WhoServes(record.Server)}
	if !record.Active() && which == "last" {
		return asked, mishap.Refusal(errors.New("abort last: no run is under way"))
	}
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
