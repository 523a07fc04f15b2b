package member

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"mishap/internal/ledger"
)

// ErrStood keeps what was decided before this process stood still from being done.
var ErrStood = errors.New("this server stood still since that was decided; it looks again")

// Stood reports whether this process stood still since then: what was known may be old.
func (m *Member) Stood(since time.Time) bool { return m.pulse.Load().Stood(since) }

// stillFor is how late a beat of this process may be: well within the time after which
// others may own what is its own.
func (m *Member) stillFor() time.Duration {
	const most = 2 * time.Second
	if within := m.InjectWithin(); within > 0 {
		return min(within, most)
	}
	return most
}

// Confirming is what a run asks right before each injecting call: whether it may still
// make it. It costs nothing unless this process stood still since that was known.
// Then the lease must go on, the run be this server's, and nothing halted, as the
// ledger says now.
func (m *Member) Confirming(book ledger.Ledger, lease ledger.Lease, known time.Time) func(context.Context) error {
	var mu sync.Mutex
	return func(ctx context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		for m.Stood(known) {
			asked := time.Now()
			if err := confirm(ctx, book, lease); err != nil {
				return fmt.Errorf("this server stood still, and does not inject what it was about to: %w", err)
			}
			known = asked
		}
		return nil
	}
}

func confirm(ctx context.Context, book ledger.Ledger, lease ledger.Lease) error {
	if book.Lapsed(lease.Server) {
		return errors.New("its lease has ended")
	}
	halt, err := book.Halted(ctx)
	if err != nil {
		return err
	}
	if halt != nil {
		return errors.New(halt.String())
	}
	return book.Append(ctx, lease) // nothing: whether the run is still this server's
}
