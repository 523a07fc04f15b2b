package aid

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"mishap"
	"mishap/internal/keeper"
	"mishap/internal/ledger"
)

// undoFiles reads the undo files. What the folder itself hides may be in.
func (a *Aider) undoFiles() ([]keeper.Undo, error) {
	files, err := keeper.ReadUndo(a.settings.State)
	if err != nil {
		err = mishap.StillIn(err)
	}
	return files, err
}

// Unaccounted lists undo files of dead keepers that no run of the ledger accounts for,
// and that hold something or cannot be read: the ledger was lost. About those in
// unasked the ledger could not be asked.
func (a *Aider) Unaccounted(ctx context.Context) (all, unasked []keeper.Undo, err error) {
	files, err := a.undoFiles()
	problems := []error{err}
	for _, u := range files {
		if u.Alive || len(u.Outstanding()) == 0 && u.Damage == nil {
			continue
		}
		switch _, err := a.lookUp(ctx, u.Run); {
		case errors.Is(err, ledger.ErrUnknownRun):
			all = append(all, u)
		case err != nil:
			unasked = append(unasked, u)
			problems = append(problems, a.Unrecorded(u.Run, err))
		}
	}
	return all, unasked, errors.Join(problems...)
}

// lookUp finds a run in the ledger. Without a ledger no run is known.
func (a *Aider) lookUp(ctx context.Context, run string) (ledger.Record, error) {
	if !a.member.HasLedger(ctx) {
		return ledger.Record{}, ledger.ErrUnknownRun
	}
	book, err := a.member.Ledger(ctx)
	if err != nil {
		return ledger.Record{}, err
	}
	if _, err := book.Entries(ctx, run); err != nil { // Find takes beginnings, and what is not an id
		return ledger.Record{}, err
	}
	return book.Find(ctx, run)
}

// Account accounts for the undo files of no known run: it tells of what was
// reverted from them alone, and sets aside what cannot be read. What is left of a
// damaged one is told, and [Aider.Unsettled] and [Aider.Blocked] say what follows from it.
func (a *Aider) Account(ctx context.Context, tell func(string)) error {
	if tell == nil {
		tell = func(string) {}
	}
	aside, err := keeper.Unsettled(a.settings.State)
	for _, d := range aside {
		left, _ := a.aided(at(d.Path))
		tellLeft(left, tell)
	}
	unaccounted, _, errUnaccounted := a.Unaccounted(ctx)
	problems := []error{err, errUnaccounted}
	for _, u := range unaccounted {
		left, reverted := a.aided(at(u.Path))
		if reverted && left == nil {
			for _, h := range u.Outstanding() {
				tell(fmt.Sprintf("run %s, which is not in the ledger: %s on %s reverted from its undo file", u.Run, h.Fault, h.Target.Label()))
			}
		}
		switch {
		case !u.Whole():
			tellLeft(left, tell)
			problems = append(problems, a.setAside(u, tell))
		case left != nil:
			problems = append(problems, mishap.WithHint(errors.Join(left...),
				"`mishap revert --all` tries again; if you have put it back: `mishap revert "+u.Run+" --settle WHY`"))
		default:
			problems = append(problems, keeper.Remove(a.settings.State, u.Run))
		}
	}
	return errors.Join(problems...)
}

func tellLeft(left []error, tell func(string)) {
	for _, err := range left {
		tell(err.Error())
	}
}

func (a *Aider) setAside(u keeper.Undo, tell func(string)) error {
	if _, err := keeper.SetAside(a.settings.State, u); err != nil {
		return mishap.StillIn(fmt.Errorf("undo file %s cannot be read (%w), nor moved: %w", u.Path, u.Damage, err))
	}
	tell(fmt.Sprintf("undo file %s cannot be read and was set aside: %s", u.Path, u.Damage))
	return nil
}

// Unsettled is an error that names the undo files which could not be read and
// which nobody has settled: what they held may be in.
func (a *Aider) Unsettled() error { return a.unsettled(func(keeper.Damaged) bool { return true }) }

// Blocked is [Aider.Unsettled] of those that keep a run with these keys from
// starting: what they held may be what it changes.
func (a *Aider) Blocked(keys []mishap.Key) error {
	return a.unsettled(func(d keeper.Damaged) bool { return d.Blocks(keys) })
}

func (a *Aider) unsettled(meant func(keeper.Damaged) bool) error {
	damaged, err := keeper.Unsettled(a.settings.State)
	if err != nil {
		return mishap.StillIn(fmt.Errorf("look for damaged undo files: %w", err))
	}
	var paths []string
	name, what := "", " that changes the same"
	for _, d := range damaged {
		if !meant(d) {
			continue
		}
		paths, name = append(paths, d.Path), cmp.Or(name, d.Name())
		if d.Blocks(nil) {
			what = "" // nobody knows which
		}
	}
	if paths == nil {
		return nil
	}
	return mishap.StillIn(mishap.WithHint(fmt.Errorf("what these undo files held cannot all be read, and may still be in force: %s", strings.Join(paths, ", ")),
		"revert by hand what it was, then `mishap revert "+name+" --settle WHY`; until then nothing starts"+what))

}

// SettleUndo records that a person has put back what an undo file may have held
// that cannot be read, or what cannot be reverted and is of no run that goes on. It
// reports false if none is meant.
func (a *Aider) SettleUndo(ctx context.Context, which, by, reason string) (bool, error) {
	d, found, err := a.unsettledUndo(ctx, which)
	if !found || err != nil {
		return false, err
	}
	if err := keeper.Settle(d, by, reason); err != nil || !a.member.HasLedger(ctx) {
		return true, err
	}
	book, err := a.member.Ledger(ctx)
	if err == nil {
		err = book.Record(ctx, ledger.Act{At: time.Now(), By: by, What: fmt.Sprintf("settle undo file %s: %s", d.Path, reason)})
	}
	return true, err
}

// unsettledUndo finds the undo file that a person calls so among those that were
// set aside, or sets it aside: a run that goes on accounts for its own.
func (a *Aider) unsettledUndo(ctx context.Context, which string) (keeper.Damaged, bool, error) {
	aside, err := keeper.Unsettled(a.settings.State)
	if err != nil {
		return keeper.Damaged{}, false, err
	}
	for _, d := range aside {
		if which == d.Name() || which == d.Path || which == filepath.Base(d.Path) {
			return d, true, nil
		}
	}
	files, err := a.undoFiles()
	for _, u := range files {
		if u.Alive || which != u.Run && which != u.Path && which != filepath.Base(u.Path) {
			continue
		}
		record, err := a.lookUp(ctx, u.Run)
		if err != nil && !errors.Is(err, ledger.ErrUnknownRun) || err == nil && record.Active() {
			return keeper.Damaged{}, false, err
		}
		d, err := keeper.SetAside(a.settings.State, u)
		return d, err == nil, err
	}
	return keeper.Damaged{}, false, err
}

// Tidy removes what a process that died after its run had ended left of itself. It
// tells of what was reverted from an undo file although the ledger knew nothing of it.
func (a *Aider) Tidy(ctx context.Context, tell func(string)) error {
	if !a.member.HasLedger(ctx) {
		return nil
	}
	files, err := a.undoFiles()
	problems := []error{err}
	book, err := a.member.Ledger(ctx)
	if err != nil {
		return errors.Join(append(problems, err)...)
	}
	for _, u := range files {
		// Only if the ledger says so: it knows a run before its keeper starts.
		if record, unknown := a.lookUp(ctx, u.Run); unknown == nil && !record.Active() && !u.Alive {
			problems = append(problems, a.tidyUndo(ctx, book, u, tell))
		}
	}
	servers, err := book.Servers(ctx)
	problems = append(problems, err)
	for _, s := range servers {
		a.member.Forget(ctx, book, s)
	}
	return errors.Join(problems...)
}

func (a *Aider) tidyUndo(ctx context.Context, book ledger.Runs, u keeper.Undo, tell func(string)) error {
	entries, err := book.Entries(ctx, u.Run)
	if err != nil {
		return err
	}
	run, err := mishap.Replay(entries)
	if err != nil {
		return err
	}
	injections, err := book.Injections(ctx, u.Run)
	if err != nil {
		return err
	}
	if err := a.Discard(ctx, run, injections); err != nil || tell == nil {
		return err
	}
	for _, h := range u.Outstanding() {
		if known := run.Injection(h.ID); known == nil || !known.State.Settled() {
			tell(fmt.Sprintf("run %s, which is %s in the ledger: %s on %s reverted from its undo file", u.Run, run.State, h.Fault, h.Target.Label()))
		}
	}
	return nil
}
