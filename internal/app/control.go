package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"mishap"
	"mishap/internal/api"
	"mishap/internal/ledger"
	"mishap/internal/report"
)

// Resume lets runs start again.
func (a *App) Resume(ctx context.Context, by string) error {
	book, err := a.Existing(ctx)
	if err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	return book.Resume(ctx, by, time.Now())
}

// Unlock lets an experiment that deviated be run by itself again.
func (a *App) Unlock(ctx context.Context, experiment, by, reason string) error {
	book, err := a.Existing(ctx)
	if err != nil {
		return fmt.Errorf("unlock %s: %w", experiment, err)
	}
	err = book.Unlock(ctx, experiment, by, reason, time.Now())
	if errors.Is(err, ledger.ErrNotLocked) {
		locks, _ := book.Locks(ctx)
		var names []string
		for _, l := range locks {
			names = append(names, l.Experiment)
		}
		return mishap.Refusal(mishap.WithHint(err, mishap.Suggest(experiment, names)))
	}
	return err
}

// Standing is what status says beside the runs.
func (a *App) Standing(ctx context.Context) (report.Standing, error) {
	s := report.Standing{Left: a.leftBehind(ctx, nil)}
	if !a.HasLedger(ctx) {
		return s, nil
	}
	book, err := a.Ledger(ctx)
	if err != nil {
		return s, err
	}
	if s.Locks, err = book.Locks(ctx); err != nil {
		return s, err
	}
	sources, err := book.Sources(ctx)
	for _, src := range sources {
		s.Sources = append(s.Sources, report.SourceStanding{
			Name: src.Name, Commit: src.Revision.Commit, Since: src.Revision.At, Revision: src.Revision.Seq, Problem: src.Problem, Holds: src.Holds,
		})
	}
	if err != nil {
		return s, err
	}
	s.Waiting, err = book.Queue(ctx, time.Now())
	return s, err
}

// find looks a run up by its id, the beginning of it, or "last".
func (a *App) find(ctx context.Context, which string) (ledger.Record, error) {
	if !a.HasLedger(ctx) {
		hint := cmp.Or(a.WhereElse(which), "choose the right one with --state DIR")
		return ledger.Record{}, mishap.Invalid(mishap.WithHint(fmt.Errorf("no run %q: there is no ledger in %s", which, a.Where()), hint))
	}
	book, err := a.Ledger(ctx)
	if err != nil {
		return ledger.Record{}, err
	}
	record, err := book.Find(ctx, which)
	if errors.Is(err, ledger.ErrUnknownRun) {
		err = fmt.Errorf("%w in ledger %s", err, a.Where())
		if hint := a.WhereElse(which); hint != "" {
			err = mishap.WithHint(err, hint)
		}
		return record, mishap.Invalid(err)
	}
	return record, err
}

// Journal reads the entries of a run in the ledger, or of a journal in a file.
func (a *App) Journal(ctx context.Context, which string) ([]mishap.Entry, error) {
	if f, err := os.Open(which); err == nil {
		defer f.Close()
		entries, err := report.ReadJournal(f)
		if err == nil {
			_, err = mishap.Replay(entries)
		}
		if err != nil {
			return nil, mishap.Invalid(fmt.Errorf("%s: %w", which, err))
		}
		return entries, nil
	}
	record, err := a.find(ctx, which)
	if err != nil {
		return nil, err
	}
	book, err := a.Ledger(ctx)
	if err != nil {
		return nil, err
	}
	return book.Entries(ctx, record.ID)
}

// Runs replays the latest runs, newest first.
func (a *App) Runs(ctx context.Context, limit int) ([]*mishap.Run, error) {
	if !a.HasLedger(ctx) {
		return nil, nil
	}
	book, err := a.Ledger(ctx)
	if err != nil {
		return nil, err
	}
	records, err := book.Runs(ctx, limit)
	if err != nil {
		return nil, err
	}
	return replayAll(ctx, book, records)
}

// mostLooked is among how many of the latest runs those of one experiment are
// looked for.
const mostLooked = api.MostRuns

// RunsOf replays the latest runs of one experiment, newest first.
func (a *App) RunsOf(ctx context.Context, experiment string, limit int) ([]*mishap.Run, error) {
	if !a.HasLedger(ctx) {
		return nil, nil
	}
	book, err := a.Ledger(ctx)
	if err != nil {
		return nil, err
	}
	records, err := book.Runs(ctx, mostLooked)
	if err != nil {
		return nil, err
	}
	var some []ledger.Record
	for _, r := range records {
		if r.Experiment == experiment && len(some) < limit {
			some = append(some, r)
		}
	}
	return replayAll(ctx, book, some)
}

// replayAll folds the journals of runs.
func replayAll(ctx context.Context, book ledger.Runs, records []ledger.Record) ([]*mishap.Run, error) {
	return mishap.ReplayAll(records, func(r ledger.Record) ([]mishap.Entry, error) { return book.Entries(ctx, r.ID) })
}

// LocalServer asks the server that uses this machine's state directory.
func (a *App) LocalServer() (*api.Client, error) {
	path := a.SocketPath("api")
	if _, err := os.Stat(path); err != nil {
		return nil, mishap.Refusal(mishap.WithHint(fmt.Errorf("no server uses the state directory %s", a.Settings.State), "start one with `mishap serve`, or name one with --server ADDRESS"))
	}
	if !filepath.IsAbs(path) {
		path = "./" + path
	}
	return api.NewClient(path)
}

// LedgerOf is [App.Where], as a server answers it of its own.
func (a *App) LedgerOf(context.Context) string { return a.Where() }
