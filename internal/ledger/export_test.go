package ledger

import "context"

// Migrate brings the ledger to the schema after the given steps.
func (l *SQLite) Migrate(ctx context.Context, steps []string) error { return l.migrate(ctx, steps) }

// Migrations lists the steps of this program.
func Migrations() []string { return migrations() }
