package desk

import (
	"context"
	"fmt"
	"os"

	"mishap"
	"mishap/internal/ledger"
	"mishap/internal/report"
)

// Journal reads the entries of a run in the ledger, or of a journal in a file.
func (d *Desk) Journal(ctx context.Context, which string) ([]mishap.Entry, error) {
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
	record, err := d.member.Find(ctx, which)
	if err != nil {
		return nil, err
	}
	book, err := d.member.Ledger(ctx)
	if err != nil {
		return nil, err
	}
	return book.Entries(ctx, record.ID)
}

// Runs replays the latest runs, newest first.
func (d *Desk) Runs(ctx context.Context, limit int) ([]*mishap.Run, error) {
	if !d.member.HasLedger(ctx) {
		return nil, nil
	}
	book, err := d.member.Ledger(ctx)
	if err != nil {
		return nil, err
	}
	records, err := book.Runs(ctx, limit)
	if err != nil {
		return nil, err
	}
	return replayAll(ctx, book, records)
}

// RunsOf replays the latest runs of one experiment, newest first.
func (d *Desk) RunsOf(ctx context.Context, experiment string, limit int) ([]*mishap.Run, error) {
	if !d.member.HasLedger(ctx) {
		return nil, nil
	}
	book, err := d.member.Ledger(ctx)
	if err != nil {
		return nil, err
	}
	records, err := book.RunsOf(ctx, experiment, limit)
	if err != nil {
		return nil, err
	}
	return replayAll(ctx, book, records)
}

// replayAll folds the journals of runs.
func replayAll(ctx context.Context, book ledger.Runs, records []ledger.Record) ([]*mishap.Run, error) {
	return mishap.ReplayAll(records, func(r ledger.Record) ([]mishap.Entry, error) { return book.Entries(ctx, r.ID) })
}
