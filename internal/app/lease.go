package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"mishap"
	"mishap/internal/ledger"
	"mishap/internal/runner"
)

// errLeaseLost keeps a server that others may take for dead from starting runs.
var errLeaseLost = errors.New("the server's lease in the ledger was lost; nothing starts until it has a new one")

// leaseLost reverts everything here: another server may be taking it over.
func (a *App) leaseLost(why error) {
	a.fenced.Store(true)
	a.log.Error("lease lost: every run here reverts", "error", why)
	go func() {
		for a.fenced.Load() && a.desk.stopAll(runner.Stop{Cause: mishap.CauseInternal, Reason: why.Error()}) > 0 {
			time.Sleep(haltEvery)
		}
	}()
}

// rejoin makes this process a server again, under a new name, once all that it
// did before is over.
func (a *App) rejoin(ctx context.Context) error {
	if !a.fenced.Load() || len(a.desk.here()) > 0 {
		return nil
	}
	a.mu.Lock()
	leave := a.leave
	a.server, a.leave = "", nil
	a.mu.Unlock()
	if leave != nil {
		_ = leave() // it has ended by itself
	}
	_, err := a.register(ctx, "serve")
	return err
}

// injectWithin is how long an injecting call may take: it must be over before a
// lease can end, of which a third is always left.
func (a *App) injectWithin() time.Duration {
	if ledger.IsPostgres(a.Settings.Ledger) {
		return a.Settings.ServerLease.Std() / 3
	}
	return 0
}

// elsewhere reports whether something of a run is in another machine itself.
func elsewhere(r *mishap.Run) bool {
	host, err := os.Hostname()
	if err != nil || r.Plan.Host == host || r.Plan.Host == "" || !r.State.Touched() {
		return false
	}
	for _, in := range r.Injections {
		if in.Target.Where.Local() {
			return true
		}
	}
	return false
}

// lookUpWithin is how long a server whose lease has lapsed waits for the ledger
// before it leaves to the lease's new owner what may be another run's.
const lookUpWithin = 5 * time.Second

// yieldIfLapsed is what a run of the server asks before it reverts. Only one whose
// lease may have ended asks the ledger: so a revert waits for nothing as long as
// nobody else can own the run.
func (a *App) yieldIfLapsed(book ledger.Ledger, server string) func(context.Context, mishap.Injection) (string, error) {
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
func (a *App) yield(ctx context.Context, book ledger.Ledger, in mishap.Injection) (string, error) {
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
