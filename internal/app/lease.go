package app

import (
	"context"
	"errors"
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
