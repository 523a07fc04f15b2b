package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"mishap"
	"mishap/internal/catalog"
	"mishap/internal/config"
	"mishap/internal/keeper"
	"mishap/internal/ledger"
	"mishap/internal/runner"
	"mishap/internal/vault"
)

func needsKeeper(faults []runner.Fault) bool {
	for _, f := range faults {
		if f.Kind.Keeper == mishap.KeeperProcess {
			return true
		}
	}
	return false
}

// startKeeper starts this program again as the keeper of a run.
func (eng *Engine) startKeeper(run string) (*keeper.Keeper, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("start keeper: %w", err)
	}
	argv := []string{program, "keeper", "--state", eng.settings.State, "--run", run, "--revert-within", eng.settings.RevertWithin.String()}
	if ledger.IsPostgres(eng.settings.Ledger) {
		argv = append(argv, "--lease", eng.settings.ServerLease.String())
	} else if eng.catalog.Vaults() != nil {
		argv = append(argv, "--lease", vault.Standstill.String())
	}
	if eng.catalog.Vaults() != nil {
		argv = append(argv, "--vault", eng.settings.Vault)
	}
	return keeper.Start(argv)
}

// endKeeper says goodbye, unless the run was left to its keeper.
// What a lost keeper left of itself is removed when the run has put all back.
func (eng *Engine) endKeeper(ctx context.Context, k *keeper.Keeper, run *mishap.Run) {
	if errors.Is(context.Cause(ctx), runner.ErrLeave) {
		return // the end of this process is the end of the pipe
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err := k.Close(ctx)
	if err == nil && run != nil && len(run.Outstanding()) == 0 {
		err = keeper.Remove(eng.settings.State, run.ID)
	}
	if err != nil {
		eng.log.Warn("end keeper", "error", err)
	}
}

// Keep is the life of a keeper process. It reads no settings, so that nothing
// that changes during a run can change how it ends. Its vault is where those of its
// server are; empty: there is none.
func Keep(state, run string, revertWithin, lease time.Duration, vault string, around Around) error {
	kinds := catalog.New(catalog.Options{Settings: &config.Settings{}, Log: slog.New(slog.DiscardHandler)})
	return keeper.Serve(keeper.ServeOptions{
		In: os.Stdin, Out: os.Stdout, Dir: filepath.Clean(state), Run: run, RevertWithin: revertWithin, Lease: lease, Taken: kinds.TakenAt(vault),
		Restore: func(in mishap.Injection) (mishap.Injector, error) {
			injector, err := kinds.Restore(in)
			if around == nil {
				return injector, err // as it is: it may take several injections in one call
			}
			return toldInjector{injector, around}, err
		},
	})
}
