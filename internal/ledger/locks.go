package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"mishap"
)

// ErrNotLocked is an experiment that nothing locks.
var ErrNotLocked = errors.New("the experiment is not locked")

const selectLocks = `SELECT experiment, run, reason, at FROM locks`

func scanLocks(rows *sql.Rows) ([]mishap.Lock, error) {
	defer rows.Close()
	var all []mishap.Lock
	for rows.Next() {
		var one mishap.Lock
		var at int64
		if err := rows.Scan(&one.Experiment, &one.Run, &one.Reason, &at); err != nil {
			return nil, err
		}
		one.At = time.Unix(0, at)
		all = append(all, one)
	}
	return all, rows.Err()
}

// Locks lists the experiments that deviated and were not unlocked since.
func (s *store) Locks(ctx context.Context) ([]mishap.Lock, error) {
	rows, err := s.rows(ctx, selectLocks+` ORDER BY experiment`)
	if err != nil {
		return nil, s.explain("read locks from", err)
	}
	all, err := scanLocks(rows)
	return all, s.explain("read locks from", err)
}

// Unlock lets an experiment that deviated be run by itself again.
func (s *store) Unlock(ctx context.Context, experiment, by, reason string, at time.Time) error {
	return s.explainUnless("unlock in", s.transact(ctx, func(t tx) error {
		changed, err := t.changed(ctx, `DELETE FROM locks WHERE experiment = ?`, experiment)
		if err != nil {
			return err
		}
		if !changed {
			return fmt.Errorf("%w: %s", ErrNotLocked, experiment)
		}
		return t.audit(ctx, Act{At: at, By: by, What: "unlock " + experiment + ": " + reason})
	}))
}

// lockDeviated locks the experiment of a run that deviated.
func (t tx) lockDeviated(ctx context.Context, run *mishap.Run, reason string, at time.Time) error {
	return t.exec(ctx, `INSERT INTO locks (experiment, run, reason, at) VALUES (?,?,?,?)
		ON CONFLICT (experiment) DO UPDATE SET run = excluded.run, reason = excluded.reason, at = excluded.at`,
		run.Plan.Experiment.Name, run.ID, reason, at.UnixNano())
}

// Act is one line of the audit: what somebody did, or was refused.
type Act struct {
	ID   int64     `json:"id,omitempty"`
	At   time.Time `json:"at"`
	By   string    `json:"by"`
	What string    `json:"what"`
}

type throughKey struct{}

// Through lets the audit say, before what somebody does, through what they do it.
func Through(ctx context.Context, what string) context.Context {
	return context.WithValue(ctx, throughKey{}, what)
}

// through is the act as it is written.
func (a Act) through(ctx context.Context) Act {
	if what, _ := ctx.Value(throughKey{}).(string); what != "" {
		a.What = what + ": " + a.What
	}
	return a
}

func (t tx) audit(ctx context.Context, a Act) error {
	a = a.through(ctx)
	return t.exec(ctx, `INSERT INTO audit (at, by, what) VALUES (?,?,?)`, a.At.UnixNano(), a.By, a.What)
}

// Record writes an act to the audit.
func (s *store) Record(ctx context.Context, a Act) error {
	return s.explainUnless("write audit in", s.transact(ctx, func(t tx) error { return t.audit(ctx, a) }))
}

// Audit lists the acts after the one with that id, oldest first, at most limit.
func (s *store) Audit(ctx context.Context, after, before int64, limit int) ([]Act, error) {
	query, args := `SELECT id, at, by, what FROM audit WHERE id > ? ORDER BY id LIMIT ?`, []any{after, limit}
	if before > 0 {
		query, args = `SELECT id, at, by, what FROM audit WHERE id > ? AND id < ? ORDER BY id DESC LIMIT ?`, []any{after, before, limit}
	}
	rows, err := s.rows(ctx, query, args...)
	if err != nil {
		return nil, s.explain("read audit from", err)
	}
	all, err := scanActs(rows)
	return all, s.explain("read audit from", err)
}

func scanActs(rows *sql.Rows) ([]Act, error) {
	defer rows.Close()
	var all []Act
	for rows.Next() {
		var a Act
		var at int64
		if err := rows.Scan(&a.ID, &at, &a.By, &a.What); err != nil {
			return nil, err
		}
		a.At = time.Unix(0, at)
		all = append(all, a)
	}
	return all, rows.Err()
}

// toldFor is how long it is known what was announced.
const toldFor = 90 * 24 * time.Hour

// First reports whether nobody asked for this before: what several servers
// could announce, the first one does.
func (s *store) First(ctx context.Context, what string, at time.Time) (first bool, err error) {
	err = s.transact(ctx, func(t tx) error {
		if err := t.exec(ctx, `DELETE FROM told WHERE at < ?`, at.Add(-toldFor).UnixNano()); err != nil {
			return err
		}
		first, err = t.changed(ctx, `INSERT INTO told (what, at) VALUES (?,?) ON CONFLICT (what) DO NOTHING`, what, at.UnixNano())
		return err
	})
	return first, s.explainUnless("write to", err)
}
