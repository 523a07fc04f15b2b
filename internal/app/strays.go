package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mishap/internal/keeper"
)

// strays lists undo files with something in that no run of the ledger accounts
// for: the ledger was lost, or cannot be read.
func (a *App) strays(ctx context.Context) ([]keeper.Undo, error) {
	files, err := keeper.ReadUndo(a.Settings.State)
	var all []keeper.Undo
	for _, u := range files {
		if u.Alive || len(u.Outstanding()) == 0 {
			continue
		}
		if _, unknown := a.find(ctx, u.Run); unknown != nil {
			all = append(all, u)
		}
	}
	return all, err
}

// mendStrays reverts from undo files alone, and tells of each injection that it
// reverted.
func (a *App) mendStrays(ctx context.Context, tell func(string)) error {
	strays, err := a.strays(ctx)
	problems := []error{err}
	for _, u := range strays {
		var left []error
		for _, h := range u.Outstanding() {
			if err := a.revertStray(ctx, h); err != nil {
				left = append(left, stillIn{fmt.Errorf("revert %s on %s of run %s: %w", h.Fault, h.Target.Label(), u.Run, err)})
			} else if tell != nil {
				tell(fmt.Sprintf("run %s, which is not in the ledger: %s on %s reverted from its undo file", u.Run, h.Fault, h.Target.Label()))
			}
		}
		if left == nil {
			left = []error{keeper.Remove(a.Settings.State, u.Run)}
		}
		problems = append(problems, left...)
	}
	return errors.Join(problems...)
}

// tidy removes what a process that died after its run had ended left of itself.
func (a *App) tidy(ctx context.Context) error {
	files, err := keeper.ReadUndo(a.Settings.State)
	problems := []error{err}
	for _, u := range files {
		// Only if the ledger says so: an empty file may be that of a keeper
		// which is about to lock it.
		if record, unknown := a.find(ctx, u.Run); unknown == nil && !record.Active() && !u.Alive {
			problems = append(problems, keeper.Remove(a.Settings.State, u.Run))
		}
	}
	if !a.hasLedger() {
		return errors.Join(problems...)
	}
	book, err := a.ledger(ctx)
	if err != nil {
		return errors.Join(append(problems, err)...)
	}
	servers, err := book.Servers(ctx)
	problems = append(problems, err)
	for _, s := range servers {
		a.forget(ctx, book, s)
	}
	return errors.Join(problems...)
}

func (a *App) revertStray(ctx context.Context, h keeper.Held) error {
	injector, err := a.restore(h.Injection)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	_, err = injector.Revert(ctx, h.Injection)
	return err
}
