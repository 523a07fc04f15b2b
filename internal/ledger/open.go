package ledger

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"mishap"
)

const (
	fileName      = "ledger.db"
	applicationID = 0x6d736870 // "mshp": PRAGMA application_id of a ledger
)

//go:embed schema.sql
var schema string

//go:embed schema2.sql
var schema2 string

//go:embed schema3.sql
var schema3 string

//go:embed schema4.sql
var schema4 string

//go:embed schema5.sql
var schema5 string

//go:embed schema6.sql
var schema6 string

// migrations lists what turns version n of the schema into n+1.
func migrations() []string { return []string{schema, schema2, schema3, schema4, schema5, schema6} }

// SQLite is a ledger in one file, shared by the processes of one machine.
type SQLite struct {
	*store
	path string
	file os.FileInfo // to notice when the path is another file
}

// Exists reports whether the state directory has a ledger, or may have one that
// cannot be looked for.
func Exists(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, fileName))
	return err == nil || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR)
}

// Open opens the ledger in the state directory, and makes it if there is none.
// An older one is migrated after a copy was kept beside it; a newer one is
// refused, and so is one on a network file system.
func Open(ctx context.Context, dir string) (*SQLite, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, mishap.WithHint(fmt.Errorf("make state directory: %w", err), "choose another with --state DIR or MISHAP_STATE")
	}
	if name := networkFileSystem(dir); name != "" {
		return nil, mishap.WithHint(fmt.Errorf("state directory %s is on a network file system (%s), where locks cannot be trusted", dir, name),
			"choose a local one with --state DIR or MISHAP_STATE")
	}
	fresh := empty(dir)
	l := &SQLite{store: &store{dialect: dialect{valid: "TRUE", begunBy: `CASE WHEN json_valid(entry) THEN entry ->> '$.trigger.by' END`}, patient: turnWithin}, path: filepath.Join(dir, fileName)}
	l.present, l.explain = l.sameFile, l.explainFile
	f, err := os.OpenFile(l.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, mishap.WithHint(fmt.Errorf("open ledger: %w", err), "choose a state directory that you may write with --state DIR or MISHAP_STATE")
	}
	tighten(dir, fresh)
	l.file, err = f.Stat()
	_ = f.Close()
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	l.connect()
	if err := inTurn(ctx, func() error { return l.migrate(ctx, migrations()) }); err != nil {
		_ = l.Close()
		return nil, l.explain("open ledger", err)
	}
	return l, nil
}

// inTurn migrates when nobody else does. Of processes that open a new
// ledger at once all but one are told that it is busy, and at once: SQLite waits
// for nobody while the journal mode changes.
func inTurn(ctx context.Context, migrate func() error) error {
	const most, pause = 10 * time.Second, 20 * time.Millisecond
	for begin := time.Now(); ; {
		err := migrate()
		if !busy(err) || time.Since(begin) > most {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// Close closes the ledger.
func (l *SQLite) Close() error { return errors.Join(l.db.Close(), l.writes.Close()) }

func (l *SQLite) dir() string { return filepath.Dir(l.path) }

// Path is the ledger's file.
func (l *SQLite) Path() string { return l.path }

// migrate brings the schema to the last version. Whoever comes second finds
// the work done.
func (l *SQLite) migrate(ctx context.Context, steps []string) error {
	app, version, err := l.versions(ctx)
	if err != nil {
		return err
	}
	switch {
	case app != 0 && app != applicationID:
		return mishap.WithHint(errors.New("the file is a database of another program"), "move "+l.path+" away, or choose another --state DIR")
	case version > len(steps):
		return mishap.WithHint(fmt.Errorf("it was written by a newer mishap: it has schema %d, this program knows %d", version, len(steps)),
			"use that newer mishap, or another --state DIR")
	case version == len(steps):
		return nil
	case version > 0:
		if err := l.keepCopy(ctx, version); err != nil {
			return err
		}
	}
	return l.transact(ctx, func(t tx) error {
		var now int
		if err := t.row(ctx, "PRAGMA user_version").Scan(&now); err != nil {
			return err
		}
		for ; now < len(steps); now++ {
			if err := t.exec(ctx, steps[now]); err != nil {
				return fmt.Errorf("migrate to schema %d: %w", now+1, err)
			}
		}
		return t.exec(ctx, fmt.Sprintf("PRAGMA user_version = %d; PRAGMA application_id = %d", len(steps), applicationID))
	})
}

func (l *SQLite) versions(ctx context.Context) (app, version int, err error) {
	if err = l.writes.QueryRowContext(ctx, "PRAGMA application_id").Scan(&app); err != nil {
		return 0, 0, err
	}
	err = l.writes.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version)
	return app, version, err
}

// keepCopy writes the ledger as it is beside itself.
func (l *SQLite) keepCopy(ctx context.Context, version int) error {
	keep := fmt.Sprintf("%s.v%d", l.path, version)
	if _, err := os.Stat(keep); err == nil {
		return nil // kept by whoever was first
	}
	if _, err := l.writes.ExecContext(ctx, "VACUUM INTO ?", keep); err != nil {
		return fmt.Errorf("keep a copy as %s: %w", keep, err)
	}
	return nil
}

// sameFile notices that the path is no longer the file that is open: what is
// written to a removed file is lost.
func (l *SQLite) sameFile() error {
	now, err := os.Stat(l.path)
	if err != nil || !os.SameFile(now, l.file) {
		return mishap.WithHint(fmt.Errorf("%w: %s", ErrGone, l.path),
			"faults are reverted from memory and by their keepers; do not remove the state directory while something runs")
	}
	return nil
}
