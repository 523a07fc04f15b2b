package ledger

import "context"

// Migrate brings the ledger to the schema after the given steps.
func (l *SQLite) Migrate(ctx context.Context, steps []string) error { return l.migrate(ctx, steps) }

// Schema is the first step.
func Schema() string { return schema }
