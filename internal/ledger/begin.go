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
// that wraps [ErrKnownRun], [ErrHalted], [ErrOutdated] or [ErrTickTaken], a
// [*BusyError], or what Admit said; then nothing was written.
func (s *store) Begin(ctx context.Context, start Start) (Lease, error) {
	if err := start.check(); err != nil {
		return Lease{}, err
	}
	lease := Lease{Run: start.First.Run, Server: start.Server, Fence: 1}
	e := start.First.Planned.Experiment
	err := s.admit(ctx, func(t tx) error {
		if known, err := t.runKnown(ctx, lease.Run); err != nil {
			return err
		} else if known {
			return fmt.Errorf("begin run %s: %w", lease.Run, ErrKnownRun)
		}
		if halt, err := halted(t.row(ctx, selectHalt)); err != nil {
			return err
		} else if halt != nil {
			return fmt.Errorf("%w %s", ErrHalted, halt.Whose())
		}
		if err := t.mayOwn(ctx, start.Server); err != nil {
			return err
		}
		if err := t.inForce(ctx, start.InForce); err != nil {
			return err
		}
		if known, err := t.tickKnown(ctx, start.First); err != nil {
			return err
		} else if known {
			return ErrTickTaken
		}
		// As it was before the schedule moves on, and its place in the queue is given up.
		facts, err := t.facts(ctx, e.Name, start.First.At)
		if err != nil {
			return err
		}
		if err := t.advance(ctx, start.Advance, start.First.At); err != nil {
			return err
		}
		if err := t.busy(ctx, e.Name, e.Group); err != nil {
			return err
		}
		if start.Admit != nil {
			if err := start.Admit(facts); err != nil {
				return err
			}
		}
		if err := t.insertRun(ctx, lease, start.First, nil); err != nil {
			return err
		}
		if start.Act != nil {
			if err := t.audit(ctx, *start.Act); err != nil {
				return err
			}
		}
		return t.insertEntry(ctx, start.First)
	})
	return lease, s.explainUnless("begin run in", err)
}

// Refuse records runs that did not start, each with its two entries, and moves
// their schedules on; at most a hundred in a transaction. One whose tick another
// server took meanwhile is left out, and so is one that is known already.
func (s *store) Refuse(ctx context.Context, server string, all []Refusal) error {
	const batch = 100
	for len(all) > 0 {
		n := min(batch, len(all))
		if err := s.refuse(ctx, server, all[:n]); err != nil {
			return s.explainUnless("record refusals in", err)
		}
		all = all[n:]
	}
	return nil
}

func (s *store) refuse(ctx context.Context, server string, batch []Refusal) error {
	return s.transact(ctx, func(t tx) error {
		for _, r := range batch {
			if err := r.check(); err != nil {
				return err
			}
			err := t.advance(ctx, r.Advance, time.Time{})
			if errors.Is(err, ErrTickTaken) {
				continue
			}
			if err != nil {
				return err
			}
			lease := Lease{Run: r.First.Run, Server: server, Fence: 1}
			first := r.First
			if err := t.insertEnded(ctx, lease, first, r.Why); err != nil {
				return err
			}
		}
		return nil
	})
}

// insertEnded writes a run that ends as it begins, so that it is never active.
func (t tx) insertEnded(ctx context.Context, lease Lease, first, last mishap.Entry) error {
	known, err := t.tickKnown(ctx, first)
	if err != nil || known {
		return err
	}
	if known, err = t.runKnown(ctx, lease.Run); err != nil || known {
		return err
	}
	if err := t.insertRun(ctx, lease, first, &last); err != nil {
		return err
	}
	if err := t.insertEntry(ctx, first); err != nil {
		return err
	}
	return t.appendEntry(ctx, last)
}

// runKnown reports whether the ledger has the run already.
func (t tx) runKnown(ctx context.Context, run string) (bool, error) {
	var n int
	err := t.row(ctx, `SELECT count(*) FROM runs WHERE id = ?`, run).Scan(&n)
	return n > 0, err
}

// tickKnown reports whether there is a run of the same time already: a clock
// that went back must not have it twice.
func (t tx) tickKnown(ctx context.Context, first mishap.Entry) (bool, error) {
	if first.Trigger == nil || first.Trigger.Tick == nil {
		return false, nil
	}
	var n int
	err := t.row(ctx, `SELECT count(*) FROM runs WHERE experiment = ? AND tick = ?`,
		first.Planned.Experiment.Name, first.Trigger.Tick.At.UnixNano()).Scan(&n)
	return n > 0, err
}

// insertRun writes the row of a run; one that has ended already was never in
// anybody's way.
func (t tx) insertRun(ctx context.Context, lease Lease, first mishap.Entry, last *mishap.Entry) error {
	prints, err := json.Marshal(first.Planned.Footprints())
	if err != nil {
		return fmt.Errorf("write run: %w", err)
	}
	trigger := mishap.Trigger{Kind: mishap.TriggerHand}
	if first.Trigger != nil {
		trigger = *first.Trigger
	}
	var tick, ended sql.NullInt64
	if last != nil {
		ended = sql.NullInt64{Int64: last.At.UnixNano(), Valid: true}
	}
	if trigger.Tick != nil {
		tick = sql.NullInt64{Int64: trigger.Tick.At.UnixNano(), Valid: true}
	}
	e := first.Planned.Experiment
	return t.exec(ctx, `INSERT INTO runs (id, experiment, grp, state, server, fence, began, ended, kind, tick, footprints) VALUES (?,?,?,?,?,?,?,?,?,?,?)`,
		lease.Run, e.Name, e.Group, mishap.Planned, lease.Server, lease.Fence, first.At.UnixNano(), ended, trigger.Kind, tick, string(prints))
}

func (t tx) busy(ctx context.Context, experiment, group string) error {
	b := &BusyError{}
	err := t.row(ctx, `SELECT id, experiment, grp, state FROM runs WHERE ended IS NULL AND (experiment = ? OR grp = ?)`,
		experiment, group).Scan(&b.Run, &b.Experiment, &b.Group, &b.State)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return b
}

// facts reads what the governor decides on.
func (t tx) facts(ctx context.Context, experiment string, now time.Time) (mishap.Facts, error) {
	facts := mishap.Facts{Now: now}
	rows, err := t.rows(ctx, selectOngoing)
	if err != nil {
		return facts, err
	}
	if facts.Runs, err = scanOngoing(rows); err != nil {
		return facts, err
	}
	locks, err := t.rows(ctx, selectLocks+` WHERE experiment = ?`, experiment)
	if err != nil {
		return facts, err
	}
	found, err := scanLocks(locks)
	if err != nil {
		return facts, err
	}
	if len(found) > 0 {
		facts.Lock = &found[0]
	}
	approvals, err := t.rows(ctx, selectApprovals+` WHERE experiment = ?`, experiment)
	if err != nil {
		return facts, err
	}
	if facts.Approvals, err = scanApprovals(approvals); err != nil {
		return facts, err
	}
	queue, err := t.rows(ctx, selectWaiting, now.Add(-queueLife).UnixNano())
	if err != nil {
		return facts, err
	}
	facts.Queue, err = scanWaiting(queue)
	return facts, err
}

const selectOngoing = `SELECT id, experiment, grp, state, footprints FROM runs WHERE ended IS NULL ORDER BY began, id`

func scanOngoing(rows *sql.Rows) ([]mishap.Ongoing, error) {
	defer rows.Close()
	var all []mishap.Ongoing
	for rows.Next() {
		var o mishap.Ongoing
		var prints string
		if err := rows.Scan(&o.ID, &o.Experiment, &o.Group, &o.State, &prints); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(prints), &o.Footprints); err != nil {
			return nil, fmt.Errorf("read run %s: %w", o.ID, err)
		}
		all = append(all, o)
	}
	return all, rows.Err()
}
