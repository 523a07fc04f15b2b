package ledger

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"mishap"
)

// Turn is a schedule's place in the queue of those whose time has come.
type Turn struct {
	mishap.Waiting
	Tick  time.Time // that it waits for
	Until time.Time // when it is looked at again
}

// queueLife is how long after it was to be looked at a schedule is still in the
// queue: a place that no server keeps must not hold up the others.
const queueLife = 5 * time.Second

// Postpone keeps the places of schedules in the queue, and looks at each again
// later; at most a hundred in a transaction. Since is kept if there is one.
func (s *store) Postpone(ctx context.Context, all []Turn) error {
	const batch = 100
	for len(all) > 0 {
		n := min(batch, len(all))
		err := s.transact(ctx, func(t tx) error {
			for _, one := range all[:n] {
				if _, err := t.queue(ctx, one, ""); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return s.explainUnless("postpone schedules in", err)
		}
		all = all[n:]
	}
	return nil
}

// Claim keeps other servers from a schedule that is due, until the turn's time,
// while this one plans its run; false if another server was first. Its place in
// the queue is held meanwhile.
func (s *store) Claim(ctx context.Context, d Schedule, turn Turn) (bool, error) {
	claimed := false
	err := s.transact(ctx, func(t tx) (err error) {
		claimed, err = t.queue(ctx, turn, ` AND due = ?`, d.Tick.Due.UnixNano())
		return err
	})
	return claimed, s.explainUnless("claim schedule in", err)
}

func (t tx) queue(ctx context.Context, one Turn, and string, args ...any) (bool, error) {
	return t.changed(ctx, `UPDATE schedules SET due = ?, since = COALESCE(since, ?), queued = tick, wants = ?, why = ? WHERE experiment = ? AND tick = ?`+and,
		append([]any{one.Until.UnixNano(), maybe(one.Since), joinWants(one.Wants), one.Why, one.Experiment, one.Tick.UnixNano()}, args...)...)
}

const selectWaiting = `SELECT experiment, since, turn, wants, why FROM schedules WHERE queued = tick AND due > ?`

// Queue lists who waits at a time, longest first.
func (s *store) Queue(ctx context.Context, now time.Time) ([]mishap.Waiting, error) {
	rows, err := s.rows(ctx, selectWaiting, now.Add(-queueLife).UnixNano())
	if err != nil {
		return nil, s.explain("read queue from", err)
	}
	all, err := scanWaiting(rows)
	return all, s.explain("read queue from", err)
}

func scanWaiting(rows *sql.Rows) ([]mishap.Waiting, error) {
	defer rows.Close()
	var all []mishap.Waiting
	for rows.Next() {
		var one mishap.Waiting
		var since, turn sql.NullInt64
		var wants string
		if err := rows.Scan(&one.Experiment, &since, &turn, &wants, &one.Why); err != nil {
			return nil, err
		}
		one.Since, one.Turn = perhaps(since), perhaps(turn)
		if wants != "" {
			one.Wants = strings.Split(wants, "\n")
		}
		all = append(all, one)
	}
	slices.SortFunc(all, mishap.Waiting.Compare)
	return all, rows.Err()
}

func joinWants(wants []string) string { return strings.Join(wants, "\n") }

// maybe is a time as the ledger keeps one that may be missing.
func maybe(t time.Time) sql.NullInt64 {
	if t.IsZero() {
		return sql.NullInt64{}
	}
	return sql.NullInt64{Int64: t.UnixNano(), Valid: true}
}

func perhaps(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return time.Unix(0, n.Int64)
}
