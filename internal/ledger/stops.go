package ledger

import (
	"context"
	"fmt"
	"time"
)

// StopRequest asks the server of a run, wherever it is, to end it.
type StopRequest struct {
	Run    string
	By     string
	Reason string
	At     time.Time
}

// AskStop asks the server of a run to end it. Asking twice keeps the first.
func (s *store) AskStop(ctx context.Context, r StopRequest) error {
	return s.explainUnless("ask to stop in", s.transact(ctx, func(t tx) error {
		var n int
		if err := t.row(ctx, `SELECT count(*) FROM runs WHERE id = ?`, r.Run).Scan(&n); err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("%w: %s", ErrUnknownRun, r.Run)
		}
		if err := t.exec(ctx, `INSERT INTO stops (run, by, reason, at) VALUES (?,?,?,?) ON CONFLICT DO NOTHING`, r.Run, r.By, r.Reason, r.At.UnixNano()); err != nil {
			return err
		}
		return t.audit(ctx, Act{At: r.At, By: r.By, What: "abort run " + r.Run + ": " + r.Reason})
	}))
}

// Stops lists what a server's active runs were asked to do.
func (s *store) Stops(ctx context.Context, server string) ([]StopRequest, error) {
	rows, err := s.rows(ctx, `SELECT st.run, st.by, st.reason, st.at FROM stops st JOIN runs r ON r.id = st.run WHERE r.ended IS NULL AND r.server = ? ORDER BY st.run`, server)
	if err != nil {
		return nil, s.explain("read stops from", err)
	}
	defer rows.Close()
	var all []StopRequest
	for rows.Next() {
		var one StopRequest
		var at int64
		if err := rows.Scan(&one.Run, &one.By, &one.Reason, &at); err != nil {
			return nil, s.explain("read stops from", err)
		}
		one.At = time.Unix(0, at)
		all = append(all, one)
	}
	return all, s.explain("read stops from", rows.Err())
}
