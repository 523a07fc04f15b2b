package ledger

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"time"
)

// dialect is what the databases say differently.
type dialect struct {
	numbered  bool   // parameters are $1, $2, … and not ?
	forUpdate string // appended to a SELECT whose row is then changed
	valid     string // an expression over a row of runs: its owner's lease is of this database
	leases    bool   // servers have leases in the database, and not kernel locks
	begunBy   string // an expression over an entry, the first of a run: who began it
	serialize string // run first in a transaction that admits a run, so that no two decide on the same facts
}

// store is a ledger in a database. All statements are written with ? for
// parameters, and in the SQL that both dialects share.
type store struct {
	db      *sql.DB
	writes  *sql.DB       // may be the same
	patient time.Duration // how long a write waits for its turn
	dialect dialect
	present func() error                        // notices that the database is no longer the one that was opened
	explain func(doing string, err error) error // says in words what went wrong with the database
}

// tx is a transaction in the store's dialect.
type tx struct {
	*sql.Tx
	dialect *dialect
}

// exec runs a statement.
func (t tx) exec(ctx context.Context, query string, args ...any) error {
	_, err := t.ExecContext(ctx, t.dialect.rebind(query), args...)
	return err
}

// changed runs a statement and reports whether it changed a row.
func (t tx) changed(ctx context.Context, query string, args ...any) (bool, error) {
	result, err := t.ExecContext(ctx, t.dialect.rebind(query), args...)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

func (t tx) row(ctx context.Context, query string, args ...any) *sql.Row {
	return t.QueryRowContext(ctx, t.dialect.rebind(query), args...)
}

func (t tx) rows(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return t.QueryContext(ctx, t.dialect.rebind(query), args...)
}

func (s *store) rows(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return s.db.QueryContext(ctx, s.dialect.rebind(query), args...)
}

func (s *store) row(ctx context.Context, query string, args ...any) *sql.Row {
	return s.db.QueryRowContext(ctx, s.dialect.rebind(query), args...)
}

// rebind numbers the parameters. No statement here has a ? in a text.
func (d *dialect) rebind(query string) string {
	if !d.numbered {
		return query
	}
	var out strings.Builder
	n := 0
	for _, r := range query {
		if r != '?' {
			out.WriteRune(r)
			continue
		}
		n++
		out.WriteString("$" + strconv.Itoa(n))
	}
	return out.String()
}

// turnWithin is how long a write waits for its turn: for those of this process,
// and for others that lock the ledger.
const turnWithin = 10 * time.Second

// errHeld is a ledger that others write to all the time.
var errHeld = errors.New("other writes hold it for too long")

// transact runs f in a transaction; an error of f undoes it. Whatever the context
// says, it does not wait for ever until it begins.
func (s *store) transact(ctx context.Context, f func(tx) error) error {
	if err := s.present(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	late := time.AfterFunc(s.patient, func() { cancel(errHeld) })
	begun, err := s.writes.BeginTx(ctx, nil)
	late.Stop()
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, errHeld) {
		err = cause
	}
	if err != nil {
		return err
	}
	if err := f(tx{begun, &s.dialect}); err != nil {
		_ = begun.Rollback()
		return err
	}
	return begun.Commit()
}

// admit is a transaction in which nobody else admits a run.
func (s *store) admit(ctx context.Context, f func(tx) error) error {
	return s.transact(ctx, func(t tx) error {
		if s.dialect.serialize != "" {
			if err := t.exec(ctx, s.dialect.serialize); err != nil {
				return err
			}
		}
		return f(t)
	})
}
