package app

import (
	"context"
	"time"
)

// retireLoop removes old runs from the ledger, as the settings want it: at the
// start and then every hour, a few at a time so that nobody waits.
func (s *serving) retireLoop(ctx context.Context) {
	keep := s.Settings.Server.Keep
	if keep.For == 0 && keep.Runs == 0 {
		return
	}
	const batch = 200
	for {
		before := time.Time{}
		if keep.For > 0 {
			before = time.Now().Add(-keep.For.Std())
		}
		n, err := s.book.Retire(ctx, before, keep.Runs, batch)
		wait := time.Hour
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.log.Error("retire old runs", "error", err)
		case n > 0:
			s.log.Info("retired old runs", "runs", n)
			wait = time.Second
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}
