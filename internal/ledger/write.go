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

// Append writes entries of the lease's run, all or none, and what follows from
// them: the states of the run and its injections, keys and locks set free.
func (s *store) Append(ctx context.Context, lease Lease, entries ...mishap.Entry) error {
	if err := lease.check(entries); err != nil {
		return err
	}
	return s.explainUnless("append to", s.transact(ctx, func(t tx) error {
		if err := t.owned(ctx, lease); err != nil {
			return err
		}
		for _, e := range entries {
			if err := t.appendEntry(ctx, e); err != nil {
				return err
			}
		}
		return nil
	}))
}

// Prepare writes the entry that announces an injection together with its undo
// and resource keys. It answers a [*KeyError] if a key is taken.
func (s *store) Prepare(ctx context.Context, lease Lease, e mishap.Entry, in mishap.Injection) error {
	if err := lease.check([]mishap.Entry{e}); err != nil {
		return err
	}
	record, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("prepare injection %s: %w", in.ID, err)
	}
	return s.explainUnless("prepare injection in", s.transact(ctx, func(t tx) error {
		if err := t.owned(ctx, lease); err != nil {
			return err
		}
		err := t.exec(ctx, `INSERT INTO injections (id, run, position, state, injection) VALUES (?,?,?,?,?)`,
			in.ID, in.Run, e.Seq, mishap.InjectionPrepared, string(record))
		if err != nil {
			return err
		}
		for _, key := range in.Keys {
			if err := t.takeKey(ctx, key, in); err != nil {
				return err
			}
		}
		return t.insertEntry(ctx, e)
	}))
}

// takeKey takes the thing for the run, which keeps it until it is over, and its
// attribute for the injection. The thing is a row too, so that of two runs that
// take different attributes at once one waits for the other.
func (t tx) takeKey(ctx context.Context, key mishap.Key, in mishap.Injection) error {
	if err := t.exec(ctx, `INSERT INTO keys (key, injection) VALUES (?,?) ON CONFLICT DO NOTHING`, key.Thing, in.ID); err != nil {
		return err
	}
	for _, held := range append(key.Before(), key.String()) {
		run, err := t.holder(ctx, held)
		if err != nil {
			return err
		}
		if run != "" && (run != in.Run || held == key.String() && key.Attribute != "") {
			return &KeyError{Key: key, Run: run, Own: run == in.Run}
		}
	}
	return t.exec(ctx, `INSERT INTO keys (key, injection) VALUES (?,?) ON CONFLICT DO NOTHING`, key.String(), in.ID)
}

const selectHolder = `SELECT i.run FROM keys k JOIN injections i ON i.id = k.injection WHERE k.key = ?`

// holder is the run that holds a key; empty if it is free.
func (t tx) holder(ctx context.Context, key string) (run string, err error) {
	err = t.row(ctx, selectHolder, key).Scan(&run)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return run, err
}

// owned checks server and fence: the write of a server that lost the run must
// change nothing, and neither must one whose lease is of a database that this
// one has replaced.
func (t tx) owned(ctx context.Context, lease Lease) error {
	valid, err := t.latest(ctx, lease)
	if err == nil && !valid {
		err = fmt.Errorf("%w: run %s, of a database that was replaced", ErrFenced, lease.Run)
	}
	return err
}

// latest answers [ErrFenced] unless the lease is the run's latest, and whether
// that is still good.
func (t tx) latest(ctx context.Context, lease Lease) (valid bool, err error) {
	var server string
	var fence int64
	err = t.row(ctx, `SELECT server, fence, `+t.dialect.valid+` FROM runs WHERE id = ?`+t.dialect.forUpdate, lease.Run).Scan(&server, &fence, &valid)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, fmt.Errorf("%w: %s", ErrUnknownRun, lease.Run)
	case err != nil:
		return false, err
	case server != lease.Server || fence != lease.Fence:
		return false, fmt.Errorf("%w: run %s, fence %d", ErrFenced, lease.Run, fence)
	}
	return valid, nil
}

func (t tx) insertEntry(ctx context.Context, e mishap.Entry) error {
	text, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write entry %d: %w", e.Seq, err)
	}
	var last int64
	if err := t.row(ctx, `SELECT coalesce(max(seq), 0) FROM entries WHERE run = ?`, e.Run).Scan(&last); err != nil {
		return err
	}
	if e.Seq <= last {
		return t.written(ctx, e, string(text))
	}
	if e.Seq != last+1 {
		return fmt.Errorf("append entry %d of run %s: the last one is %d", e.Seq, e.Run, last)
	}
	err = t.exec(ctx, `INSERT INTO entries (run, seq, entry) VALUES (?,?,?)`, e.Run, e.Seq, string(text))
	return err
}

// written accepts an entry that is there already, as it is after a commit whose
// answer was lost.
func (t tx) written(ctx context.Context, e mishap.Entry, text string) error {
	var there string
	if err := t.row(ctx, `SELECT entry FROM entries WHERE run = ? AND seq = ?`, e.Run, e.Seq).Scan(&there); err != nil {
		return err
	}
	if there != text {
		return fmt.Errorf("append entry %d of run %s: another one is there", e.Seq, e.Run)
	}
	return nil
}

func (t tx) appendEntry(ctx context.Context, e mishap.Entry) error {
	if err := t.insertEntry(ctx, e); err != nil {
		return err
	}
	switch {
	case e.State != nil && e.State.To.Ended():
		return t.endRun(ctx, e)
	case e.State != nil:
		err := t.exec(ctx, `UPDATE runs SET state = ? WHERE id = ?`, e.State.To, e.Run)
		return err
	case e.Injection != nil:
		return t.moveInjection(ctx, *e.Injection)
	}
	return nil
}

// endRun frees the run's locks and keys, forgets its undo, and keeps what came
// out; an experiment that deviated is locked in the same transaction.
func (t tx) endRun(ctx context.Context, e mishap.Entry) error {
	entries, err := t.entries(ctx, e.Run)
	if err != nil {
		return err
	}
	run, err := mishap.Replay(entries)
	if err != nil {
		run = &mishap.Run{Reason: err.Error()} // no journal keeps a run from ending
	}
	verdict, reason := mishap.Judge(run)
	if verdict == mishap.Deviated {
		if err := t.lockDeviated(ctx, run, reason, e.At); err != nil {
			return err
		}
	}
	if err := t.exec(ctx, `UPDATE runs SET state = ?, ended = ?, verdict = ?, cause = ?, reason = ? WHERE id = ?`,
		e.State.To, e.At.UnixNano(), verdict, run.Cause, reason, e.Run); err != nil {
		return err
	}
	if err := t.exec(ctx, `DELETE FROM keys WHERE injection IN (SELECT id FROM injections WHERE run = ?)`, e.Run); err != nil {
		return err
	}
	return t.forgetUndo(ctx, e.Run)
}

func (t tx) entries(ctx context.Context, run string) ([]mishap.Entry, error) {
	return decodeAll[mishap.Entry](t.rows(ctx, `SELECT entry FROM entries WHERE run = ? ORDER BY seq`, run))
}

func (t tx) forgetUndo(ctx context.Context, run string) error {
	injections, err := decodeAll[mishap.Injection](t.rows(ctx, `SELECT injection FROM injections WHERE run = ?`, run))
	if err != nil {
		return err
	}
	for _, in := range injections {
		in.Undo = nil
		text, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("write injection %s: %w", in.ID, err)
		}
		if err := t.exec(ctx, `UPDATE injections SET injection = ? WHERE id = ?`, string(text), in.ID); err != nil {
			return err
		}
	}
	return nil
}

// moveInjection records an injection's state. Settled sets its attributes free,
// not the things, which are the run's; a fault that is seen again takes them
// back.
func (t tx) moveInjection(ctx context.Context, c mishap.InjectionChange) error {
	if err := t.exec(ctx, `UPDATE injections SET state = ? WHERE id = ?`, c.State(), c.ID); err != nil {
		return err
	}
	found, err := decodeAll[mishap.Injection](t.rows(ctx, `SELECT injection FROM injections WHERE id = ?`, c.ID))
	if err != nil {
		return err
	}
	for _, in := range found {
		for _, key := range in.Keys {
			statement := `INSERT INTO keys (injection, key) VALUES (?,?) ON CONFLICT DO NOTHING`
			if c.To.Settled() && key.Attribute != "" {
				statement = `DELETE FROM keys WHERE injection = ? AND key = ?`
			}
			if err := t.exec(ctx, statement, in.ID, key.String()); err != nil {
				return err
			}
		}
	}
	return nil
}

// TakeOver makes server the owner of a run whose owner is gone. Of several that
// try with the same lease one wins; the others get [ErrFenced].
func (s *store) TakeOver(ctx context.Context, old Lease, server string) (Lease, error) {
	next := Lease{Run: old.Run, Server: server, Fence: old.Fence + 1}
	return next, s.explainUnless("take over run in", s.transact(ctx, func(t tx) error {
		if _, err := t.latest(ctx, old); err != nil {
			return err
		}
		if alive, err := t.alive(ctx, old.Server, t.dialect.forUpdate); err != nil {
			return err
		} else if alive && old.Server != server {
			if stranded, err := t.stranded(ctx, old.Run); err != nil {
				return err
			} else if !stranded {
				return fmt.Errorf("%w: its server %s lives", ErrFenced, old.Server)
			}
		}
		if err := t.mayOwn(ctx, server); err != nil {
			return err
		}
		err := t.exec(ctx, `UPDATE runs SET server = ?, fence = ? WHERE id = ?`, server, next.Fence, old.Run)
		return err
	}))
}

// stranded reports whether nobody is on a run although it has not ended.
func (t tx) stranded(ctx context.Context, run string) (bool, error) {
	var state mishap.State
	err := t.row(ctx, `SELECT state FROM runs WHERE id = ?`, run).Scan(&state)
	return state == mishap.Stranded, err
}

// Halt stops everything and lets nothing start. Halting twice keeps the first.
func (s *store) Halt(ctx context.Context, h Halt) error {
	return s.explainUnless("halt in", s.transact(ctx, func(t tx) error {
		if err := t.exec(ctx, `INSERT INTO halt (one, by, reason, at) VALUES (1,?,?,?) ON CONFLICT DO NOTHING`, h.By, h.Reason, h.At.UnixNano()); err != nil {
			return err
		}
		return t.audit(ctx, Act{At: h.At, By: h.By, What: "halt: " + h.Reason})
	}))
}

// Resume lets runs start again.
func (s *store) Resume(ctx context.Context, by, reason string, at time.Time) error {
	return s.explainUnless("resume in", s.transact(ctx, func(t tx) error {
		if err := t.exec(ctx, `DELETE FROM halt`); err != nil {
			return err
		}
		return t.audit(ctx, resumed(by, reason, at))
	}))
}

// explainUnless explains what went wrong with the file; refusals explain
// themselves.
func (s *store) explainUnless(doing string, err error) error {
	var busy *BusyError
	var key *KeyError
	var denied *mishap.Denial
	if errors.As(err, &busy) || errors.As(err, &key) || errors.As(err, &denied) {
		return err
	}
	for _, own := range []error{ErrHalted, ErrFenced, ErrUnknownRun, ErrTickTaken, ErrNotLocked, ErrOutdated} {
		if errors.Is(err, own) {
			return err
		}
	}
	return s.explain(doing, err)
}
