package aid

import (
	"context"
	"errors"
	"fmt"

	"mishap"
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

// revertUnsure reverts what the run does not say is out.
func (a *Aider) revertUnsure(ctx context.Context, run *mishap.Run, all []keeper.Held) error {
	var unsure []keeper.Held
	for _, h := range all {
		if known := run.Injection(h.ID); known == nil || !known.State.Settled() {
			unsure = append(unsure, h)
		}
	}
	return errors.Join(a.revertHeld(ctx, run.ID, unsure)...)
}
