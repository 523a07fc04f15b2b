package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"mishap"
)

const selectHalt = `SELECT by, reason, at FROM halt`

func halted(row *sql.Row) (*Halt, error) {
	var h Halt
	var at int64
	err := row.Scan(&h.By, &h.Reason, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	h.At = time.Unix(0, at)
	return &h, err
}

// Halted says who halted everything; nil if nobody did.
func (s *store) Halted(ctx context.Context) (*Halt, error) {
	if err := s.present(); err != nil {
		return nil, err
	}
	h, err := halted(s.row(ctx, selectHalt))
	if err != nil {
		return nil, s.explain("read halt from", err)
	}
	return h, nil
}

// Entries reads a run's journal.
func (s *store) Entries(ctx context.Context, run string) ([]mishap.Entry, error) {
	entries, err := decodeAll[mishap.Entry](s.rows(ctx, `SELECT entry FROM entries WHERE run = ? ORDER BY seq`, run))
	if err != nil {
		return nil, s.explain("read journal from", err)
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("%w: %s", ErrUnknownRun, run)
	}
	return entries, nil
}

// Injections reads a run's injections with their undo, in the order in which
// they were prepared.
func (s *store) Injections(ctx context.Context, run string) ([]mishap.Injection, error) {
	all, err := decodeAll[mishap.Injection](s.rows(ctx, `SELECT injection FROM injections WHERE run = ? ORDER BY position`, run))
	return all, s.explain("read injections from", err)
}

func decodeAll[T any](rows *sql.Rows, err error) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		var one T
		if err := json.Unmarshal([]byte(text), &one); err != nil {
			return nil, fmt.Errorf("read row: %w", err)
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// Runs lists the latest runs, newest first, at most limit.
func (s *store) Runs(ctx context.Context, limit int) ([]Record, error) {
	return s.records(ctx, `ORDER BY began DESC, id LIMIT ?`, limit)
}

// RunsOf lists the latest runs of one experiment, newest first, at most limit.
func (s *store) RunsOf(ctx context.Context, experiment string, limit int) ([]Record, error) {
	return s.records(ctx, `WHERE experiment = ? ORDER BY began DESC, id LIMIT ?`, experiment, limit)
}

// RunsBefore lists the runs that began before a moment, newest first, at most limit:
// of one experiment, or of all if its name is empty.
func (s *store) RunsBefore(ctx context.Context, before time.Time, experiment string, limit int) ([]Record, error) {
	if experiment == "" {
		return s.records(ctx, `WHERE began < ? ORDER BY began DESC, id LIMIT ?`, before.UnixNano(), limit)
	}
	return s.records(ctx, `WHERE experiment = ? AND began < ? ORDER BY began DESC, id LIMIT ?`, experiment, before.UnixNano(), limit)
}

// Unfinished lists the runs that are active, oldest first.
func (s *store) Unfinished(ctx context.Context) ([]Record, error) {
	return s.records(ctx, `WHERE ended IS NULL ORDER BY began, id`)
}

// Ongoing lists the active runs with what they touch.
func (s *store) Ongoing(ctx context.Context) ([]mishap.Ongoing, error) {
	rows, err := s.rows(ctx, selectOngoing)
	if err != nil {
		return nil, s.explain("read runs from", err)
	}
	all, err := scanOngoing(rows)
	return all, s.explain("read runs from", err)
}

// InjectionCounts counts the injections of active runs by state.
func (s *store) InjectionCounts(ctx context.Context) (map[mishap.InjectionState]int, error) {
	rows, err := s.rows(ctx, `SELECT i.state, count(*) FROM injections i JOIN runs r ON r.id = i.run WHERE r.ended IS NULL GROUP BY i.state`)
	if err != nil {
		return nil, s.explain("read injections from", err)
	}
	defer rows.Close()
	counts := map[mishap.InjectionState]int{}
	for _, st := range mishap.InjectionStates() {
		counts[st] = 0
	}
	for rows.Next() {
		var state mishap.InjectionState
		var n int
		if err := rows.Scan(&state, &n); err != nil {
			return nil, s.explain("read injections from", err)
		}
		counts[state] = n
	}
	return counts, s.explain("read injections from", rows.Err())
}

// Latest lists the latest run of each experiment that was not refused.
func (s *store) Latest(ctx context.Context) ([]Record, error) {
	return s.records(ctx, `r WHERE state <> 'refused' AND NOT EXISTS (
		SELECT 1 FROM runs n WHERE n.experiment = r.experiment AND n.state <> 'refused' AND (n.began, n.id) > (r.began, r.id)) ORDER BY experiment`)
}

// Find reads the run with that id, or the only one whose id begins so, or the
// latest if which is "last".
func (s *store) Find(ctx context.Context, which string) (Record, error) {
	var found []Record
	var err error
	if which == "last" {
		found, err = s.Runs(ctx, 1)
	} else {
		found, err = s.records(ctx, `WHERE substr(id, 1, ?) = ? ORDER BY id LIMIT 5`, len(which), which)
	}
	if err != nil {
		return Record{}, err
	}
	return one(which, found)
}

// one answers the only run found, or says what is wrong with the question.
func one(which string, found []Record) (Record, error) {
	const hint = "`mishap status` lists the runs"
	if which == "" || len(found) == 0 {
		return Record{}, mishap.WithHint(fmt.Errorf("%w: %q", ErrUnknownRun, which), hint)
	}
	names := make([]string, len(found))
	for i, r := range found {
		if r.ID == which {
			return r, nil
		}
		names[i] = r.ID
	}
	if len(found) > 1 {
		return Record{}, mishap.WithHint(fmt.Errorf("%q is the beginning of several runs: %s", which, strings.Join(names, ", ")), "give one letter more")
	}
	return found[0], nil
}

func (s *store) records(ctx context.Context, where string, args ...any) ([]Record, error) {
	rows, err := s.rows(ctx, `SELECT id, experiment, grp, state, server, fence, began, ended, verdict, cause, reason, kind, tick,
		COALESCE((SELECT `+s.dialect.begunBy+` FROM entries WHERE run = id AND seq = 1), '') FROM runs `+where, args...)
	if err != nil {
		return nil, s.explain("read runs from", err)
	}
	defer rows.Close()
	var all []Record
	for rows.Next() {
		var r Record
		var began int64
		var ended, tick sql.NullInt64
		if err := rows.Scan(&r.ID, &r.Experiment, &r.Group, &r.State, &r.Server, &r.Fence, &began, &ended, &r.Verdict, &r.Cause, &r.Reason, &r.Kind, &tick, &r.By); err != nil {
			return nil, s.explain("read runs from", err)
		}
		r.Began = time.Unix(0, began)
		if ended.Valid {
			r.Ended = time.Unix(0, ended.Int64)
		}
		if tick.Valid {
			r.Tick = time.Unix(0, tick.Int64)
		}
		all = append(all, r)
	}
	return all, s.explain("read runs from", rows.Err())
}

// Holder is the run that a thing belongs to; empty if it is free.
func (s *store) Holder(ctx context.Context, thing string) (run string, err error) {
	err = s.row(ctx, selectHolder, thing).Scan(&run)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return run, s.explain("look for the holder of a key in", err)
}

// InjectionState is how far the ledger knows an injection to be; empty if it does
// not know it, as after commits were lost.
func (s *store) InjectionState(ctx context.Context, id string) (state mishap.InjectionState, err error) {
	err = s.row(ctx, `SELECT state FROM injections WHERE id = ?`, id).Scan(&state)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return state, s.explain("look for an injection in", err)
}
