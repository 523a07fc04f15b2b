package desk

import (
	"context"
	"time"

	"mishap/internal/report"
)

// Standing is what status says beside the runs.
func (d *Desk) Standing(ctx context.Context) (report.Standing, error) {
	s := report.Standing{Left: d.catalog.LeftBehind(ctx, nil)}
	if !d.member.HasLedger(ctx) {
		return s, nil
	}
	book, err := d.member.Ledger(ctx)
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
