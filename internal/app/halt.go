package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"mishap"
	"mishap/internal/ledger"
)

// haltWithin is how long halt waits until the runs have begun to revert.
const haltWithin = 10 * time.Second

// existing opens the ledger for a verb that stops or looks: such a verb makes
// none, or it would say that it did something where nothing is.
func (a *App) existing(ctx context.Context) (ledger.Ledger, error) {
	if a.hasLedger() {
		return a.ledger(ctx)
	}
	hint := "choose the right one with --state DIR or --ledger URL"
	for _, n := range a.Neighbours(false) {
		hint += "\n  " + n.String() + "; reach it with " + n.Reach()
	}
	return nil, mishap.WithHint(fmt.Errorf("there is no ledger in %s", a.Where()), hint)
}

// Halt stops everything and lets nothing start. It waits until every run under
// way has begun to revert, and says how many there were and where.
func (a *App) Halt(ctx context.Context, by, reason string) (string, error) {
	book, err := a.writeHalt(ctx, by, reason)
	if err != nil {
		return "", fmt.Errorf("halt: %w", err)
	}
	running, err := underWay(ctx, book)
	if err != nil {
		return "", err
	}
	said := fmt.Sprintf("ledger %s: %d of its servers live on this host, %d runs told to stop", a.Where(), len(a.Neighbours(true)), len(running))
	return said, awaitReverting(ctx, book, running)
}

// writeHalt writes halt to a ledger that exists; every server of it reads that.
func (a *App) writeHalt(ctx context.Context, by, reason string) (ledger.Ledger, error) {
	book, err := a.existing(ctx)
	if err != nil {
		return nil, err
	}
	return book, book.Halt(ctx, ledger.Halt{By: by, Reason: reason, At: time.Now()})
}

// underWay lists the runs that have not begun to revert and whose servers live.
func underWay(ctx context.Context, book ledger.Ledger) ([]ledger.Record, error) {
	active, err := book.Unfinished(ctx)
	if err != nil {
		return nil, err
	}
	var some []ledger.Record
	for _, r := range active {
		if r.State == mishap.Reverting || r.State == mishap.Stranded || r.State == mishap.Verifying {
			continue
		}
		alive, err := book.Alive(ctx, r.Server)
		if err != nil {
			return nil, err
		}
		if alive {
			some = append(some, r)
		}
	}
	return some, nil
}

// awaitReverting waits until none of the runs is under way any more, and names
// those that still are.
func awaitReverting(ctx context.Context, book ledger.Ledger, asked []ledger.Record) error {
	ctx, cancel := context.WithTimeout(ctx, haltWithin)
	defer cancel()
	last := asked
	for len(last) > 0 {
		now, err := underWay(ctx, book)
		if err != nil && ctx.Err() == nil {
			return err
		}
		if err == nil {
			last = now
		}
		select {
		case <-ctx.Done():
			var names []string
			for _, r := range last {
				names = append(names, fmt.Sprintf("run %s of %s on server %s is %s", r.ID, r.Experiment, r.Server, r.State))
			}
			if len(names) == 0 {
				return nil
			}
			return mishap.WithHint(errors.New("halt is written, but not all began to revert: "+strings.Join(names, "; ")), "`mishap status` shows how far they are")
		case <-time.After(haltEvery):
		}
	}
	return nil
}
