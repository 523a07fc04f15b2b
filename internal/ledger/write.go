package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"mishap"
)

// Begin records a new run and makes the server its owner. It answers an error
// that wraps [ErrHalted], or a [*BusyError].
func (l *SQLite) Begin(ctx context.Context, s Start) (Lease, error) {
	if err := s.check(); err != nil {
		return Lease{}, err
	}
	lease := Lease{Run: s.First.Run, Server: s.Server, Fence: 1}
	e := s.First.Planned.Experiment
	err := l.transact(ctx, func(tx *sql.Tx) error {
		if halt, err := halted(ctx, tx); err != nil {
			return err
		} else if halt != nil {
			return fmt.Errorf("%w: %s", ErrHalted, halt)
		}
		if err := busy(ctx, tx, e.Name, e.Group); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO runs (id, experiment, grp, state, server, fence, began) VALUES (?,?,?,?,?,?,?)`,
			lease.Run, e.Name, e.Group, mishap.Planned, s.Server, lease.Fence, s.First.At.UnixNano())
		if err != nil {
			return err
		}
		return insertEntry(ctx, tx, s.First)
	})
	return lease, l.explainUnless("begin run in", err)
}

func busy(ctx context.Context, tx *sql.Tx, experiment, group string) error {
	b := &BusyError{}
	err := tx.QueryRowContext(ctx, `SELECT id, experiment, grp, state FROM runs WHERE ended IS NULL AND (experiment = ? OR grp = ?)`,
		experiment, group).Scan(&b.Run, &b.Experiment, &b.Group, &b.State)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return b
}

// Append writes entries of the lease's run, all or none, and what follows from
// them: the states of the run and its injections, keys and locks set free.
func (l *SQLite) Append(ctx context.Context, lease Lease, entries ...mishap.Entry) error {
	if err := lease.check(entries); err != nil {
		return err
	}
	return l.explainUnless("append to", l.transact(ctx, func(tx *sql.Tx) error {
		if err := owned(ctx, tx, lease); err != nil {
			return err
		}
		for _, e := range entries {
			if err := appendEntry(ctx, tx, e); err != nil {
				return err
			}
		}
		return nil
	}))
}

// Prepare writes the entry that announces an injection together with its undo
// and resource keys. It answers a [*KeyError] if a key is taken.
func (l *SQLite) Prepare(ctx context.Context, lease Lease, e mishap.Entry, in mishap.Injection) error {
	if err := lease.check([]mishap.Entry{e}); err != nil {
		return err
	}
	record, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("prepare injection %s: %w", in.ID, err)
	}
	return l.explainUnless("prepare injection in", l.transact(ctx, func(tx *sql.Tx) error {
		if err := owned(ctx, tx, lease); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO injections (id, run, position, state, injection) VALUES (?,?,?,?,?)`,
			in.ID, in.Run, e.Seq, mishap.InjectionPrepared, string(record))
		if err != nil {
			return err
		}
		for _, key := range in.Keys {
			if err := takeKey(ctx, tx, key, in.ID); err != nil {
				return err
			}
		}
		return insertEntry(ctx, tx, e)
	}))
}

func takeKey(ctx context.Context, tx *sql.Tx, key, injection string) error {
	var run string
	err := tx.QueryRowContext(ctx, `SELECT i.run FROM keys k JOIN injections i ON i.id = k.injection WHERE k.key = ?`, key).Scan(&run)
	switch {
	case err == nil:
		return &KeyError{Key: key, Run: run}
	case !errors.Is(err, sql.ErrNoRows):
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO keys (key, injection) VALUES (?,?)`, key, injection)
	return err
}

// owned checks server and fence: the write of a server that lost the run must
// change nothing.
func owned(ctx context.Context, tx *sql.Tx, lease Lease) error {
	var server string
	var fence int64
	err := tx.QueryRowContext(ctx, `SELECT server, fence FROM runs WHERE id = ?`, lease.Run).Scan(&server, &fence)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("%w: %s", ErrUnknownRun, lease.Run)
	case err != nil:
		return err
	case server != lease.Server || fence != lease.Fence:
		return fmt.Errorf("%w: run %s, fence %d", ErrFenced, lease.Run, fence)
	}
	return nil
}

func insertEntry(ctx context.Context, tx *sql.Tx, e mishap.Entry) error {
	text, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write entry %d: %w", e.Seq, err)
	}
	var last int64
	if err := tx.QueryRowContext(ctx, `SELECT coalesce(max(seq), 0) FROM entries WHERE run = ?`, e.Run).Scan(&last); err != nil {
		return err
	}
	if e.Seq != last+1 {
		return fmt.Errorf("append entry %d of run %s: the last one is %d", e.Seq, e.Run, last)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO entries (run, seq, entry) VALUES (?,?,?)`, e.Run, e.Seq, string(text))
	return err
}

func appendEntry(ctx context.Context, tx *sql.Tx, e mishap.Entry) error {
	if err := insertEntry(ctx, tx, e); err != nil {
		return err
	}
	switch {
	case e.State != nil && e.State.To.Ended():
		return endRun(ctx, tx, e)
	case e.State != nil:
		_, err := tx.ExecContext(ctx, `UPDATE runs SET state = ? WHERE id = ?`, e.State.To, e.Run)
		return err
	case e.Injection != nil:
		return moveInjection(ctx, tx, *e.Injection)
	}
	return nil
}

// endRun frees the run's locks and keys and forgets its undo.
func endRun(ctx context.Context, tx *sql.Tx, e mishap.Entry) error {
	steps := []struct {
		query string
		args  []any
	}{
		{`UPDATE runs SET state = ?, ended = ? WHERE id = ?`, []any{e.State.To, e.At.UnixNano(), e.Run}},
		{`DELETE FROM keys WHERE injection IN (SELECT id FROM injections WHERE run = ?)`, []any{e.Run}},
		{`UPDATE injections SET injection = json_remove(injection, '$.undo') WHERE run = ?`, []any{e.Run}},
	}
	for _, s := range steps {
		if _, err := tx.ExecContext(ctx, s.query, s.args...); err != nil {
			return err
		}
	}
	return nil
}

// moveInjection records an injection's state. Settled sets its keys free; a
// fault that is seen again takes them back, if nobody else has them.
func moveInjection(ctx context.Context, tx *sql.Tx, c mishap.InjectionChange) error {
	if _, err := tx.ExecContext(ctx, `UPDATE injections SET state = ? WHERE id = ?`, c.To, c.ID); err != nil {
		return err
	}
	query := `INSERT OR IGNORE INTO keys (key, injection) SELECT value, i.id FROM injections i, json_each(i.injection, '$.keys') WHERE i.id = ?`
	if c.To.Settled() {
		query = `DELETE FROM keys WHERE injection = ?`
	}
	_, err := tx.ExecContext(ctx, query, c.ID)
	return err
}

// TakeOver makes server the owner of a run whose owner is gone. Of several that
// try with the same lease one wins; the others get [ErrFenced].
func (l *SQLite) TakeOver(ctx context.Context, old Lease, server string) (Lease, error) {
	next := Lease{Run: old.Run, Server: server, Fence: old.Fence + 1}
	return next, l.explainUnless("take over run in", l.transact(ctx, func(tx *sql.Tx) error {
		if err := owned(ctx, tx, old); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE runs SET server = ?, fence = ? WHERE id = ?`, server, next.Fence, old.Run)
		return err
	}))
}

// Halt stops everything and lets nothing start. Halting twice keeps the first.
func (l *SQLite) Halt(ctx context.Context, h Halt) error {
	return l.explainUnless("halt in", l.transact(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO halt (one, by, reason, at) VALUES (1,?,?,?)`, h.By, h.Reason, h.At.UnixNano()); err != nil {
			return err
		}
		return audit(ctx, tx, h.At, h.By, "halt: "+h.Reason)
	}))
}

// Resume lets runs start again.
func (l *SQLite) Resume(ctx context.Context, by string, at time.Time) error {
	return l.explainUnless("resume in", l.transact(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM halt`); err != nil {
			return err
		}
		return audit(ctx, tx, at, by, "resume")
	}))
}

func audit(ctx context.Context, tx *sql.Tx, at time.Time, by, what string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO audit (at, by, what) VALUES (?,?,?)`, at.UnixNano(), by, what)
	return err
}

// explainUnless explains what went wrong with the file; refusals explain
// themselves.
func (l *SQLite) explainUnless(doing string, err error) error {
	var b *BusyError
	var k *KeyError
	if errors.As(err, &b) || errors.As(err, &k) || errors.Is(err, ErrHalted) || errors.Is(err, ErrFenced) || errors.Is(err, ErrUnknownRun) {
		return err
	}
	return l.explain(doing, err)
}
