package member

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"mishap"
	"mishap/internal/api"
	"mishap/internal/ledger"
)

// StopRun asks the server of a run, wherever it is, to stop it, and waits until it has
// begun to revert.
func (m *Member) StopRun(ctx context.Context, book ledger.Ledger, record ledger.Record, by, reason string) error {
	if begun, err := m.askToStop(ctx, book, record, by, reason); err != nil || begun {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, api.StopWithin)
	defer cancel()
	return awaitReverting(ctx, book, record.ID)
}

// askToStop asks the server of a run, wherever it is, and reports whether the run has
// begun to revert, if the server can say so itself: its ledger may be locked.
func (m *Member) askToStop(ctx context.Context, book ledger.Ledger, record ledger.Record, by, reason string) (begun bool, err error) {
	if ledger.IsPostgres(m.address) { // its server may be on any machine
		return false, book.AskStop(ctx, ledger.StopRequest{Run: record.ID, By: by, Reason: reason, At: time.Now()})
	}
	alive, err := book.Alive(ctx, record.Server)
	if err != nil {
		return false, err
	}
	if !alive {
		return false, mishap.StillIn(mishap.WithHint(errors.New("its server is gone"), "`mishap revert "+record.ID+"` reverts it"))
	}
	return askStop(ctx, socketPath(m.state, record.Server), stopRequest{Run: record.ID, By: by, Reason: reason})
}

// WhoServes names a server of this ledger, with its process if that is of this
// host.
func (m *Member) WhoServes(id string) string {
	for _, n := range m.Neighbours(true) {
		if n.Server == id {
			return n.Who()
		}
	}
	return "server " + id
}

// NothingToRevert says so of this ledger. It is an error if there is none and
// runs go on elsewhere on this host: whoever asks means those.
func (m *Member) NothingToRevert(ctx context.Context) (string, error) {
	if m.HasLedger(ctx) {
		return "nothing to revert in ledger " + m.Where(), nil
	}
	for _, n := range m.Neighbours(false) {
		if n.Runs > 0 {
			return "", fmt.Errorf("nothing was reverted: %w", m.noLedger())
		}
	}
	return "nothing to revert: there is no ledger in " + m.Where(), nil
}

// underWay lists the runs, or the one, that have not begun to revert and whose
// servers live.
func underWay(ctx context.Context, book ledger.Ledger, only string) ([]ledger.Record, error) {
	active, err := book.Unfinished(ctx)
	if err != nil {
		return nil, err
	}
	var some []ledger.Record
	for _, r := range active {
		if begunToRevert(r.State) || only != "" && r.ID != only {
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

// awaitReverting waits until no run, or not the one, is under way any more, and
// names what still is when the context ends.
func awaitReverting(ctx context.Context, book ledger.Ledger, only string) error {
	var last []ledger.Record
	for {
		now, err := underWay(ctx, book, only)
		switch {
		case err == nil && len(now) == 0:
			return nil
		case err == nil:
			last = now
		case ctx.Err() == nil:
			return err
		}
		select {
		case <-ctx.Done():
			var names []string
			for _, r := range last {
				names = append(names, fmt.Sprintf("run %s of %s on server %s is %s", r.ID, r.Experiment, r.Server, r.State))
			}
			if names == nil {
				return fmt.Errorf("look for runs under way: %w", ctx.Err())
			}
			return errors.New("not begun to revert: " + strings.Join(names, "; "))
		case <-time.After(haltEvery):
		}
	}
}
