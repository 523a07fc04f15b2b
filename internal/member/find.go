package member

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"mishap"
	"mishap/internal/ledger"
)

// FindOngoing is Find for who stops or reverts: "last" is the latest run that is not
// over, and only without any the latest of all, which may be one that did not start.
func (m *Member) FindOngoing(ctx context.Context, which string) (ledger.Record, error) {
	if which == "last" && m.HasLedger(ctx) {
		book, err := m.Ledger(ctx)
		if err != nil {
			return ledger.Record{}, err
		}
		active, err := book.Unfinished(ctx)
		if err != nil {
			return ledger.Record{}, err
		}
		if len(active) > 0 {
			return slices.MaxFunc(active, func(a, b ledger.Record) int { return a.Began.Compare(b.Began) }), nil
		}
	}
	return m.Find(ctx, which)
}

// Find looks a run up by its id, the beginning of it, or "last".
func (m *Member) Find(ctx context.Context, which string) (ledger.Record, error) {
	if !m.HasLedger(ctx) {
		hint := cmp.Or(m.WhereElse(which), "choose the right one with --state DIR")
		return ledger.Record{}, mishap.Invalid(mishap.WithHint(fmt.Errorf("no run %q: there is no ledger in %s", which, m.Where()), hint))
	}
	book, err := m.Ledger(ctx)
	if err != nil {
		return ledger.Record{}, err
	}
	record, err := book.Find(ctx, which)
	if errors.Is(err, ledger.ErrUnknownRun) {
		err = fmt.Errorf("%w in ledger %s", err, m.Where())
		if hint := m.WhereElse(which); hint != "" {
			err = mishap.WithHint(err, hint)
		}
		return record, mishap.Invalid(err)
	}
	return record, err
}
