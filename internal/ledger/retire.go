package ledger

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// Retire removes runs that ended before a time, and the oldest beyond so many;
// keep 0 is any number. At most limit are removed in a call, which says how many
// were. What is active or stranded stays, and so does the latest run of each
// experiment that was not refused: what it showed still counts.
func (s *store) Retire(ctx context.Context, before time.Time, keep, limit int) (n int, err error) {
	err = s.transact(ctx, func(t tx) error {
		if keep > 0 {
			var began int64
			err := t.row(ctx, `SELECT began FROM runs ORDER BY began DESC, id LIMIT 1 OFFSET ?`, keep-1).Scan(&began)
			if err == nil && time.Unix(0, began).After(before) {
				before = time.Unix(0, began)
			} else if err != nil && !errors.Is(err, sql.ErrNoRows) {
				return err
			}
		}
		if err := t.exec(ctx, `INSERT INTO retiring (run) SELECT id FROM runs r WHERE ended IS NOT NULL AND began < ?
			AND (state = 'refused' OR EXISTS (SELECT 1 FROM runs n WHERE n.experiment = r.experiment AND n.state <> 'refused' AND (n.began, n.id) > (r.began, r.id)))
			ORDER BY began LIMIT ?`, before.UnixNano(), limit); err != nil {
			return err
		}
		if err := t.row(ctx, `SELECT count(*) FROM retiring`).Scan(&n); err != nil {
			return err
		}
		for _, statement := range []string{
			`DELETE FROM entries WHERE run IN (SELECT run FROM retiring)`,
			`DELETE FROM injections WHERE run IN (SELECT run FROM retiring)`,
			`DELETE FROM stops WHERE run IN (SELECT run FROM retiring)`,
			`DELETE FROM runs WHERE id IN (SELECT run FROM retiring)`,
			`DELETE FROM retiring`,
		} {
			if err := t.exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
	return n, s.explainUnless("retire runs in", err)
}

// RetireActs removes acts of the audit that are from before a time, the oldest
// first, and at most limit in a call, which says how many were.
func (s *store) RetireActs(ctx context.Context, before time.Time, limit int) (n int, err error) {
	err = s.transact(ctx, func(t tx) error {
		if err := t.exec(ctx, `INSERT INTO retiring_acts (before) VALUES (?)`, before.UnixNano()); err != nil {
			return err
		}
		const some = `FROM audit WHERE id IN (SELECT id FROM audit WHERE at < ? ORDER BY id LIMIT ?)`
		if err := t.row(ctx, `SELECT count(*) `+some, before.UnixNano(), limit).Scan(&n); err != nil {
			return err
		}
		if err := t.exec(ctx, `DELETE `+some, before.UnixNano(), limit); err != nil {
			return err
		}
		return t.exec(ctx, `DELETE FROM retiring_acts`)
	})
	return n, s.explainUnless("retire acts in", err)
}
