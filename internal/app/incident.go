package app

import (
	"context"

	"mishap"
	"mishap/internal/comparison"
	"mishap/internal/ledger"
)

// fewRuns is in how many runs the last incident is looked for: those without a
// fault are none.
const fewRuns = 5

// incident is the last run of an experiment that deviated; none if there is none
// that can be read. A run is not kept from by what it need not know.
func (a *App) incident(ctx context.Context, book ledger.Ledger, experiment string) comparison.Incident {
	records, err := book.Deviated(ctx, experiment, fewRuns)
	for _, r := range records {
		var entries []mishap.Entry
		var run *mishap.Run
		if entries, err = book.Entries(ctx, r.ID); err != nil {
			break
		}
		if run, err = mishap.Replay(entries); err != nil {
			break
		}
		if after := run.Showed(); after > 0 && !run.Plan.NoFault {
			return comparison.Incident{Run: r.ID, After: after}
		}
	}
	if err != nil {
		a.log.Warn("look up the last incident", "experiment", experiment, "error", err)
	}
	return comparison.Incident{}
}

// lateHarm says, of a comparison, that what went wrong last time may not show in
// time again.
func (a *App) lateHarm(ctx context.Context, e mishap.Experiment) []string {
	if !a.hasLedger(ctx) {
		return nil
	}
	book, err := a.ledger(ctx)
	if err != nil {
		return nil // who runs it is told
	}
	if text := a.incident(ctx, book, e.Name).Foretell(e.Compare.Filled().AtLeast.Std()); text != "" {
		return []string{text}
	}
	return nil
}
