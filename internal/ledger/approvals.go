package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"mishap"
)

// ErrNotApproved is an experiment that nobody has approved a plan of.
var ErrNotApproved = errors.New("no plan of the experiment is approved")

const selectApprovals = `SELECT experiment, digest, by, through, reason, at, until FROM approvals`

func scanApprovals(rows *sql.Rows) ([]mishap.Approval, error) {
	defer rows.Close()
	var all []mishap.Approval
	for rows.Next() {
		var one mishap.Approval
		var at, until int64
		if err := rows.Scan(&one.Experiment, &one.Digest, &one.By, &one.Through, &one.Reason, &at, &until); err != nil {
			return nil, err
		}
		one.At, one.Until = time.Unix(0, at), time.Unix(0, until)
		all = append(all, one)
	}
	return all, rows.Err()
}

// Approve records a person's yes to a plan, in the place of an older one for
// the same experiment.
func (s *store) Approve(ctx context.Context, a mishap.Approval) error {
	return s.explainUnless("approve in", s.transact(ctx, func(t tx) error {
		err := t.exec(ctx, `INSERT INTO approvals (experiment, digest, by, through, reason, at, until) VALUES (?,?,?,?,?,?,?)
			ON CONFLICT (experiment) DO UPDATE SET digest = excluded.digest, by = excluded.by, through = excluded.through, reason = excluded.reason, at = excluded.at, until = excluded.until`,
			a.Experiment, a.Digest, a.By, a.Through, a.Reason, a.At.UnixNano(), a.Until.UnixNano())
		if err != nil {
			return err
		}
		return t.audit(ctx, approvalAct(a))
	}))
}

func approvalAct(a mishap.Approval) Act {
	return Act{At: a.At, By: a.By, What: fmt.Sprintf("approve plan %s of %s until %s: %s", a.Digest, a.Experiment, mishap.Moment(a.Until), a.Reason)}
}

// Approvals lists what was approved, by experiment, also what has ended since.
func (s *store) Approvals(ctx context.Context) ([]mishap.Approval, error) {
	rows, err := s.rows(ctx, selectApprovals+` ORDER BY experiment`)
	if err != nil {
		return nil, s.explain("read approvals from", err)
	}
	all, err := scanApprovals(rows)
	return all, s.explain("read approvals from", err)
}

// Disapprove takes an approval back.
func (s *store) Disapprove(ctx context.Context, experiment, by string, at time.Time) error {
	return s.explainUnless("disapprove in", s.transact(ctx, func(t tx) error {
		changed, err := t.changed(ctx, `DELETE FROM approvals WHERE experiment = ?`, experiment)
		if err != nil {
			return err
		}
		if !changed {
			return fmt.Errorf("%w: %s", ErrNotApproved, experiment)
		}
		return t.audit(ctx, Act{At: at, By: by, What: "take back the approval of " + experiment})
	}))
}
