package aid

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"mishap"
	within "mishap/internal/bounded"
	"mishap/internal/keeper"
)

// Discard removes the undo file of a run that the ledger has brought to its end,
// if all that it holds is out. A ledger whose newest pages are damaged is one of
// an hour ago that looks whole: what it does not call reverted is reverted from
// the file. Of a file that cannot be read, the ledger's copies are what is known:
// if they do not account for it, it is set aside for a person.
func (a *Aider) Discard(ctx context.Context, run *mishap.Run, injections []mishap.Injection) error {
	u, there := keeper.UndoOf(a.settings.State, run.ID)
	if !there {
		return nil
	}
	unsure := u.Outstanding()
	if u.Unreadable() {
		for _, in := range injections { // that it was injected may stand in what is lost
			unsure = append(unsure, keeper.Held{Injection: in})
		}
	}
	err := a.revertUnsure(ctx, run, unsure)
	switch {
	case u.Unreadable() && (err != nil || !run.State.Touched()):
		if _, aside := keeper.SetAside(a.settings.State, u); aside != nil {
			err = errors.Join(err, aside)
		}
		return mishap.StillIn(errors.Join(fmt.Errorf("undo file %s cannot be read (%w), and the ledger does not know all that it held", u.Path, u.Damage), err))
	case err != nil:
		return err
	}
	return keeper.Remove(a.settings.State, run.ID)
}

// revertUnsure makes one attempt on each that the run does not say is out, side by
// side.
func (a *Aider) revertUnsure(ctx context.Context, run *mishap.Run, all []keeper.Held) error {
	problems := make([]error, len(all))
	var side sync.WaitGroup
	for i, h := range all {
		if known := run.Injection(h.ID); known != nil && known.State.Settled() {
			continue
		}
		side.Go(func() {
			_, err := within.Call(ctx, aidWithin, "revert", func(ctx context.Context) (mishap.Reverted, error) {
				return a.revertHeld(ctx, h)
			})
			if err != nil {
				problems[i] = mishap.StillIn(fmt.Errorf("revert %s on %s of run %s: %w", h.Fault, h.Target.Label(), run.ID, err))
			}
		})
	}
	side.Wait()
	return errors.Join(problems...)
}
