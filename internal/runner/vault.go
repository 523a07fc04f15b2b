package runner

import (
	"context"
	"errors"

	"mishap"
)

// Vault keeps what reverting needs where the faults are, for whoever finds it there
// when ledger and keeper are gone.
type Vault interface {
	// Hold makes the injections durable there, all of them before any is injected. An
	// error that wraps [mishap.ErrTaken] is that a run of another ledger changes one
	// of their things.
	Hold(ctx context.Context, all []mishap.Injection) error
	// Adopt keeps others from what a run held that was taken over. It must not wait.
	Adopt(all []mishap.Injection)
	// Settle ends it: only what is left may still be in force.
	Settle(ctx context.Context, left []mishap.Injection) error
}

// hand makes what was found durable in the vault, unless somebody stops the run
// meanwhile: that may take minutes.
func (x *execution) hand(ctx context.Context) *mishap.StateChange {
	if x.Vault == nil {
		return nil
	}
	call, cancel := context.WithCancel(ctx)
	defer cancel()
	held := make(chan error, 1)
	go func() { held <- x.Vault.Hold(call, x.found) }()
	var stopped *mishap.StateChange
	for {
		select {
		case s := <-x.Stops:
			stopped = &mishap.StateChange{Cause: s.Cause, Reason: s.Reason, By: s.By}
			cancel()
		case err := <-held:
			if stopped == nil {
				stopped = x.stopped(ctx)
			}
			if err == nil || stopped != nil {
				return stopped
			}
			return &mishap.StateChange{Cause: mishap.CauseTarget, Reason: "hand what reverts it to the vault: " + mishap.Advised(err)}
		}
	}
}

// settleVault removes from the vault what is out. Of a run that is left to its
// keepers, or is another server's by now, all stays.
func (x *execution) settleVault(ctx context.Context) {
	if x.Vault == nil {
		return
	}
	var still []mishap.Injection
	for _, in := range x.rec.run.Injections {
		if in.State.MayBeIn() || left(ctx) || errors.Is(x.rec.trouble(), ErrLost) {
			still = append(still, in.Injection)
		}
	}
	if err := x.Vault.Settle(ctx, still); err != nil {
		x.Log.Warn("remove from the vault what is reverted; a sweep does", "run", x.rec.run.ID, "error", err)
	}
}
