package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v4"

	"mishap"
	"mishap/internal/ledger"
	"mishap/internal/runner"
)

// journal writes a run under its lease.
type journal struct {
	book  ledger.Ledger
	lease ledger.Lease
}

// Append writes entries, all or none.
func (j journal) Append(ctx context.Context, entries ...mishap.Entry) error {
	return lost(j.book.Append(ctx, j.lease, entries...))
}

// Prepare writes an injection with its undo.
func (j journal) Prepare(ctx context.Context, e mishap.Entry, in mishap.Injection) error {
	return lost(j.book.Prepare(ctx, j.lease, e, in))
}

// lost tells the runner what it need not try again: the run is another server's, or
// of a database that this one has replaced.
func lost(err error) error {
	if errors.Is(err, ledger.ErrFenced) || errors.Is(err, ledger.ErrUnknownRun) {
		return fmt.Errorf("%w: %w", runner.ErrLost, err)
	}
	return err
}

// insist tries to write how a run ended, until it is written or given up: it
// would keep its locks for ever.
func insist(giveUp <-chan struct{}, write func() error) error {
	waits := backoff.NewExponentialBackOff(backoff.WithInitialInterval(100*time.Millisecond), backoff.WithMaxInterval(5*time.Second), backoff.WithMaxElapsedTime(0))
	for {
		err := write()
		if err == nil || giveUp == nil || errors.Is(lost(err), runner.ErrLost) {
			return err
		}
		select {
		case <-giveUp:
			return err
		case <-time.After(waits.NextBackOff()):
		}
	}
}
