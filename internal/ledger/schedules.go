package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"mishap"
)

// ErrTickTaken is a time of a schedule that another server has dealt with.
var ErrTickTaken = errors.New("another server has dealt with this time of the schedule")

// Schedule is an experiment's next time.
type Schedule struct {
	Experiment string
	Source     string
	Spec       string // digest of the schedule; another one begins anew
	Tick       mishap.Tick
	Advanced   time.Time // when this was written
	Since      time.Time // when the oldest of its times was due that it did not get; zero: it had its turn
	Turn       time.Time // when it began last; zero: never
}

// Advance moves a schedule on. It happens in the transaction that records what
// became of the time, so that none is lost and none is dealt with twice.
type Advance struct {
	Experiment string
	From       time.Time    // the tick that is dealt with
	Next       *mishap.Tick // nil: it has no next one
	Now        time.Time

	// Of a refusal: as of [Schedule], and what keeps its place in the queue for
	// the next time; nil: it has none. A run that begins ends all waiting.
	Since time.Time
	Wants []string
}

// advance moves a schedule on, unless somebody else did. Begun is when its run
// began, which is its turn; the zero time if none did.
func (t tx) advance(ctx context.Context, a *Advance, begun time.Time) error {
	if a == nil {
		return nil
	}
	var changed bool
	var err error
	if a.Next == nil {
		changed, err = t.changed(ctx, `DELETE FROM schedules WHERE experiment = ? AND tick = ?`, a.Experiment, a.From.UnixNano())
	} else {
		since, wants := a.Since, a.Wants
		if !begun.IsZero() {
			since, wants = time.Time{}, nil
		}
		queued := sql.NullInt64{Int64: a.Next.At.UnixNano(), Valid: wants != nil}
		changed, err = t.changed(ctx, `UPDATE schedules SET tick = ?, due = ?, advanced = ?, since = ?, turn = COALESCE(?, turn), queued = ?, wants = ?, why = '' WHERE experiment = ? AND tick = ?`,
			a.Next.At.UnixNano(), a.Next.Due.UnixNano(), a.Now.UnixNano(), maybe(since), maybe(begun), queued, joinWants(wants), a.Experiment, a.From.UnixNano())
	}
	if err == nil && !changed {
		err = fmt.Errorf("%w: %s at %s", ErrTickTaken, a.Experiment, mishap.Moment(a.From))
	}
	return err
}

// Reset gives schedules other times, after a clock went back.
func (s *store) Reset(ctx context.Context, all []Schedule) error {
	return s.explainUnless("reset schedules in", s.transact(ctx, func(t tx) error {
		for _, one := range all {
			if err := t.exec(ctx, `UPDATE schedules SET tick = ?, due = ?, advanced = ?, since = NULL, queued = NULL, wants = '', why = '' WHERE experiment = ? AND spec = ?`,
				one.Tick.At.UnixNano(), one.Tick.Due.UnixNano(), one.Advanced.UnixNano(), one.Experiment, one.Spec); err != nil {
				return err
			}
		}
		return nil
	}))
}

// Due lists the schedules that are due and that the caller calls its own,
// those first that have waited longest, at most limit. Those of others, however many, are in nobody's
// way. It must not ask the ledger.
func (s *store) Due(ctx context.Context, at time.Time, limit int, mine func(Schedule) bool) ([]Schedule, error) {
	rows, err := s.rows(ctx, selectSchedules+` WHERE due <= ? ORDER BY COALESCE(turn, 0), COALESCE(since, due), due, experiment`, at.UnixNano())
	if err != nil {
		return nil, s.explain("read schedules from", err)
	}
	all, err := scanSchedules(rows, limit, mine)
	return all, s.explain("read schedules from", err)
}

// NextDue is when the next schedule is due after an instant; the zero time if
// there is none.
func (s *store) NextDue(ctx context.Context, after time.Time) (time.Time, error) {
	var due sql.NullInt64
	err := s.row(ctx, `SELECT min(due) FROM schedules WHERE due > ?`, nanos(after)).Scan(&due)
	if err != nil || !due.Valid {
		return time.Time{}, s.explain("read schedules from", err)
	}
	return time.Unix(0, due.Int64), nil
}

// Schedules lists all schedules by name.
func (s *store) Schedules(ctx context.Context) ([]Schedule, error) {
	rows, err := s.rows(ctx, selectSchedules+` ORDER BY experiment`)
	if err != nil {
		return nil, s.explain("read schedules from", err)
	}
	all, err := scanSchedules(rows, math.MaxInt, anySchedule)
	return all, s.explain("read schedules from", err)
}

func anySchedule(Schedule) bool { return true }

// nanos is a time as the ledger keeps it; the zero time is before all others.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return math.MinInt64
	}
	return t.UnixNano()
}

const selectSchedules = `SELECT experiment, source, spec, tick, due, advanced, since, turn FROM schedules`

func scanSchedules(rows *sql.Rows, limit int, wanted func(Schedule) bool) ([]Schedule, error) {
	defer rows.Close()
	var all []Schedule
	for len(all) < limit && rows.Next() {
		var one Schedule
		var tick, due, advanced int64
		var since, turn sql.NullInt64
		if err := rows.Scan(&one.Experiment, &one.Source, &one.Spec, &tick, &due, &advanced, &since, &turn); err != nil {
			return nil, err
		}
		one.Tick = mishap.Tick{At: time.Unix(0, tick), Due: time.Unix(0, due)}
		one.Advanced, one.Since, one.Turn = time.Unix(0, advanced), perhaps(since), perhaps(turn)
		if wanted(one) {
			all = append(all, one)
		}
	}
	return all, rows.Err()
}

// SetSchedules makes these the schedules of a source: those that are new or have
// another spec begin with their tick, those that are as before keep theirs, and
// all others of the source end.
func (s *store) SetSchedules(ctx context.Context, source string, all []Schedule) error {
	return s.explainUnless("set schedules in", s.transact(ctx, func(t tx) error {
		rows, err := t.rows(ctx, selectSchedules+` WHERE source = ?`, source)
		if err != nil {
			return err
		}
		before, err := scanSchedules(rows, math.MaxInt, anySchedule)
		if err != nil {
			return err
		}
		old := map[string]Schedule{}
		for _, b := range before {
			old[b.Experiment] = b
		}
		for _, one := range all {
			was, known := old[one.Experiment]
			delete(old, one.Experiment)
			if known && was.Spec == one.Spec {
				continue
			}
			err := t.exec(ctx, `INSERT INTO schedules (experiment, source, spec, tick, due, advanced) VALUES (?,?,?,?,?,?)
				ON CONFLICT (experiment) DO UPDATE SET source = excluded.source, spec = excluded.spec, tick = excluded.tick, due = excluded.due, advanced = excluded.advanced,
				since = NULL, queued = NULL, wants = '', why = ''`,
				one.Experiment, source, one.Spec, one.Tick.At.UnixNano(), one.Tick.Due.UnixNano(), one.Advanced.UnixNano())
			if err != nil {
				return err
			}
		}
		for name := range old {
			if err := t.exec(ctx, `DELETE FROM schedules WHERE experiment = ? AND source = ?`, name, source); err != nil {
				return err
			}
		}
		return nil
	}))
}
