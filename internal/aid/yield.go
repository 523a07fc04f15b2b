package aid

import (
	"context"
	"fmt"
	"time"

	"mishap"
	"mishap/internal/ledger"
)

// lookUpWithin is how long a server whose lease has lapsed waits for the ledger
// before it leaves to the lease's new owner what may be another run's.
const lookUpWithin = 5 * time.Second

// YieldIfLapsed is what a run of the server asks before it reverts. Only one whose
// lease may have ended asks the ledger: so a revert waits for nothing as long as
// nobody else can own the run.
func (a *Aider) YieldIfLapsed(book ledger.Ledger, server string) func(context.Context, mishap.Injection) (string, error) {
	return func(ctx context.Context, in mishap.Injection) (string, error) {
		if !book.Lapsed(server) {
			return "", nil
		}
		return a.yield(ctx, book, in)
	}
}

// yield says why an injection is no longer its run's to revert: another server took
// the run over and has reverted it, or the thing is another run's. What is in this
// machine itself nobody else reaches, and a fault in a proxy bears its own id: a
// revert of those can meet nothing foreign. What the ledger does not know to be in,
// because it has lost commits, nobody else reverts.
func (a *Aider) yield(ctx context.Context, book ledger.Ledger, in mishap.Injection) (string, error) {
	if in.Target.Where.Local() || in.Fault == mishap.ArmsFault || a.kinds()[in.Injector].Keeper == mishap.KeeperProxy {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookUpWithin)
	defer cancel()
	state, err := book.InjectionState(ctx, in.ID)
	if err == nil && state.Settled() {
		return "another server took the run over and has reverted it", nil
	}
	for _, key := range in.Keys {
		var run string
		if err == nil {
			run, err = book.Holder(ctx, key.Thing)
		}
		switch {
		case err != nil:
			return "", fmt.Errorf("left to who owns the run now, since the lease has ended and the ledger cannot say whose %s is: %w", key.Thing, err)
		case run != "" && run != in.Run:
			return fmt.Sprintf("another server took the run over; %s belongs to run %s by now", key.Thing, run), nil
		}
	}
	return "", nil
}
