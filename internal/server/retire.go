package server

import (
	"context"
	"errors"
	"time"
)

// retirer forgets what is old.
type retirer struct{ *shared }

// loop removes old runs and acts from the ledger, as the settings want it: at the
// start and then every hour, a few at a time so that nobody waits.
func (r retirer) loop(ctx context.Context) {
	for {
		runs, acts, err := r.retire(ctx, time.Now())
		wait := time.Hour
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			r.log.Error("retire old runs and acts", "error", err)
		case runs+acts > 0:
			r.log.Info("retired what is old", "runs", runs, "acts", acts)
			wait = time.Second
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		case <-r.settings.Changed():
		}
	}
}

// retire removes some of what is older than the settings want it, and says how much.
func (r retirer) retire(ctx context.Context, now time.Time) (runs, acts int, err error) {
	const batch = 200
	keep := r.settings.Live().Keep
	if keep.For > 0 || keep.Runs > 0 {
		before := time.Time{}
		if keep.For > 0 {
			before = now.Add(-keep.For.Std())
		}
		runs, err = r.book.Retire(ctx, before, keep.Runs, batch)
	}
	if keep.Audit > 0 {
		var bad error
		acts, bad = r.book.RetireActs(ctx, now.Add(-keep.Audit.Std()), batch)
		err = errors.Join(err, bad)
	}
	return runs, acts, err
}
