package member

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"mishap"
	"mishap/internal/ledger"
)

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
