package ledger

import (
	"context"
	"path/filepath"
	"time"
)

// Migrate brings the ledger to the schema after the given steps.
func (l *SQLite) Migrate(ctx context.Context, steps []string) error { return l.migrate(ctx, steps) }

// Migrations lists the steps of this program.
func Migrations() []string { return migrations() }

// Hold writes, and does not end before f has returned.
func (l *SQLite) Hold(ctx context.Context, f func()) error {
	return l.transact(ctx, func(tx) error { f(); return nil })
}

// Patient sets how long a write waits for its turn.
func (l *SQLite) Patient(d time.Duration) { l.patient = d }

// Waited is how many writes had to wait for their turn.
func (l *SQLite) Waited() int64 { return l.writes.Stats().WaitCount }

// Connect opens a connection to the ledger in the state directory.
func Connect(ctx context.Context, dir string) error {
	conn, err := connector{dsn(filepath.Join(dir, fileName))}.Connect(ctx)
	if err == nil {
		err = conn.Close()
	}
	return err
}

// InTurn migrates when nobody else does.
func InTurn(ctx context.Context, migrate func() error) error { return inTurn(ctx, migrate) }
