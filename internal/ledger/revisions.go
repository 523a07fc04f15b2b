package ledger

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// Revision is a tree of experiments that was in force. The latest of a source is
// the one that all servers run.
type Revision struct {
	Seq    int64
	Source string
	Commit string
	Digest string
	At     time.Time
}

// Revision reads the latest revision of a source; a zero one if there is none.
func (s *store) Revision(ctx context.Context, source string) (Revision, error) {
	r, err := scanRevision(s.row(ctx, selectRevision, source))
	return r, s.explain("read revision from", err)
}

const selectRevision = `SELECT seq, source, rev, digest, at FROM revisions WHERE source = ? ORDER BY seq DESC LIMIT 1`

func scanRevision(row *sql.Row) (Revision, error) {
	var r Revision
	var at int64
	err := row.Scan(&r.Seq, &r.Source, &r.Commit, &r.Digest, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return Revision{}, nil
	}
	r.At = time.Unix(0, at)
	return r, err
}

// ErrOutdated is a revision that was looked up before another one came.
var ErrOutdated = errors.New("another server has put a newer revision in force")

// Publish puts a revision in force, if the latest of its source is still the one
// with number after; it answers it with its own number.
func (s *store) Publish(ctx context.Context, r Revision, after int64) (Revision, error) {
	err := s.admit(ctx, func(t tx) error {
		latest, err := scanRevision(t.row(ctx, selectRevision, r.Source))
		if err != nil {
			return err
		}
		if latest.Seq != after {
			return ErrOutdated
		}
		var last sql.NullInt64
		if err := t.row(ctx, `SELECT max(seq) FROM revisions`).Scan(&last); err != nil {
			return err
		}
		r.Seq = last.Int64 + 1
		return t.exec(ctx, `INSERT INTO revisions (seq, source, rev, digest, at) VALUES (?,?,?,?,?)`, r.Seq, r.Source, r.Commit, r.Digest, r.At.UnixNano())
	})
	return r, s.explainUnless("publish revision in", err)
}

// inForce refuses what was read from a revision that is no longer the latest.
func (t tx) inForce(ctx context.Context, r *Revision) error {
	if r == nil {
		return nil
	}
	latest, err := scanRevision(t.row(ctx, selectRevision, r.Source))
	if err == nil && latest.Seq != r.Seq {
		err = ErrOutdated
	}
	return err
}

// SourceState is how a source of experiments stands.
type SourceState struct {
	Name     string
	Server   string // who looked last
	Looked   time.Time
	Reached  time.Time // when it last answered; zero if that is not known
	Problem  string    // why what is there is not in force; empty if it is
	Holds    string    // why none of its schedules runs on that server; empty if they do
	Revision Revision  // what is in force
}

// Looked records that a server looked at a source. When it last answered is kept
// if it did not now.
func (s *store) Looked(ctx context.Context, state SourceState) error {
	return s.explainUnless("record source in", s.transact(ctx, func(t tx) error {
		return t.exec(ctx, `INSERT INTO sources (name, server, looked, problem, reached, holds) VALUES (?,?,?,?,?,?)
			ON CONFLICT (name) DO UPDATE SET server = excluded.server, looked = excluded.looked, problem = excluded.problem,
			reached = COALESCE(excluded.reached, sources.reached), holds = excluded.holds`,
			state.Name, state.Server, state.Looked.UnixNano(), state.Problem, maybe(state.Reached), state.Holds)
	}))
}

// ForgetSource ends the schedules of a source that is no longer served.
func (s *store) ForgetSource(ctx context.Context, name string) error {
	return s.explainUnless("forget source in", s.transact(ctx, func(t tx) error {
		if err := t.exec(ctx, `DELETE FROM schedules WHERE source = ?`, name); err != nil {
			return err
		}
		return t.exec(ctx, `DELETE FROM sources WHERE name = ?`, name)
	}))
}

// Sources lists the sources that servers looked at, by name.
func (s *store) Sources(ctx context.Context) ([]SourceState, error) {
	rows, err := s.rows(ctx, `SELECT name, server, looked, problem, reached, holds FROM sources ORDER BY name`)
	if err != nil {
		return nil, s.explain("read sources from", err)
	}
	all, err := scanSources(rows)
	for i := range all {
		if err == nil {
			all[i].Revision, err = s.Revision(ctx, all[i].Name)
		}
	}
	return all, s.explain("read sources from", err)
}

func scanSources(rows *sql.Rows) ([]SourceState, error) {
	defer rows.Close()
	var all []SourceState
	for rows.Next() {
		var one SourceState
		var looked int64
		var reached sql.NullInt64
		if err := rows.Scan(&one.Name, &one.Server, &looked, &one.Problem, &reached, &one.Holds); err != nil {
			return nil, err
		}
		one.Looked, one.Reached = time.Unix(0, looked), perhaps(reached)
		all = append(all, one)
	}
	return all, rows.Err()
}
