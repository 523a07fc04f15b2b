package ledger

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"mishap"
)

//go:embed postgres.sql
var postgresSchema string

//go:embed postgres2.sql
var postgresSchema2 string

//go:embed postgres3.sql
var postgresSchema3 string

//go:embed postgres4.sql
var postgresSchema4 string

//go:embed postgres5.sql
var postgresSchema5 string

// postgresMigrations lists what turns version n of the schema into n+1.
func postgresMigrations() []string {
	return []string{postgresSchema, postgresSchema2, postgresSchema3, postgresSchema4, postgresSchema5}
}

// validLease is whether the lease of a run's owner is of this incarnation of
// the database.
const validLease = `COALESCE((SELECT s.incarnation IN ('', incarnation_now()) FROM servers s WHERE s.id = runs.server), TRUE)`

// admitLock and migrateLock are advisory locks of the database.
const (
	admitLock   = 0x6d736801
	migrateLock = 0x6d736802
)

// Postgres is a ledger that servers on several machines share. Its database
// must never lose an acknowledged commit and must have one writer.
type Postgres struct {
	*store
	config *pgx.ConnConfig
	where  string // without the password, for messages
	lease  time.Duration

	mu       sync.Mutex
	renewals map[string]*renewal // by server: of this process
}

// IsPostgres reports whether the text is the address of a PostgreSQL database.
func IsPostgres(address string) bool {
	return strings.HasPrefix(address, "postgres://") || strings.HasPrefix(address, "postgresql://")
}

// configOf reads the address of a database.
func configOf(address string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, mishap.WithHint(errors.New("open ledger: the address is not one of a PostgreSQL database"), "write it like postgres://user@host:5432/mishap, with the password in PGPASSWORD or a passfile")
	}
	if config.RuntimeParams["search_path"] == "" {
		config.RuntimeParams["search_path"] = "mishap"
	}
	config.RuntimeParams["application_name"] = "mishap"
	// A transaction whose client is gone must not keep what it locked.
	config.RuntimeParams["idle_in_transaction_session_timeout"] = "10000"
	config.RuntimeParams["statement_timeout"] = "30000"
	config.RuntimeParams["lock_timeout"] = "10000"
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 5 * time.Second
	}
	if hosts := hostsOf(config); len(hosts) > 1 && config.ValidateConnect == nil {
		config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	return config, nil
}

// hostsOf are the database's servers: one can be written to, the others may be
// promoted.
func hostsOf(c *pgx.ConnConfig) (all []string) {
	add := func(host string, port uint16) {
		if at := net.JoinHostPort(host, fmt.Sprint(port)); !slices.Contains(all, at) {
			all = append(all, at)
		}
	}
	add(c.Host, c.Port)
	for _, f := range c.Fallbacks {
		add(f.Host, f.Port)
	}
	return all
}

// ExistsPostgres reports whether the database has a ledger, or may have one that
// cannot be looked for. It makes none.
func ExistsPostgres(ctx context.Context, address string) bool {
	config, err := configOf(address)
	if err != nil {
		return true
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return true
	}
	defer conn.Close(ctx)
	table := pgx.Identifier{config.RuntimeParams["search_path"], "version"}.Sanitize()
	var there bool
	err = conn.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", table).Scan(&there)
	return err != nil || there
}

// OpenPostgres opens the ledger in a database, and makes its tables in the
// schema mishap if there are none. A server's lease lasts as long as given.
func OpenPostgres(ctx context.Context, address string, lease time.Duration) (*Postgres, error) {
	config, err := configOf(address)
	if err != nil {
		return nil, err
	}
	if hosts := hostsOf(config); len(hosts) > 1 {
		// One that does not answer leaves time for the others within one renewal.
		config.ConnectTimeout = min(config.ConnectTimeout, lease/3/time.Duration(len(hosts)))
	}
	l := &Postgres{store: &store{patient: turnWithin}, config: config, where: place(config), lease: lease}
	l.present, l.explain = func() error { return nil }, l.explainDatabase
	l.dialect = dialect{numbered: true, leases: true, forUpdate: " FOR UPDATE", valid: validLease, begunBy: `entry::json #>> '{trigger,by}'`, serialize: fmt.Sprintf("SELECT pg_advisory_xact_lock(%d)", admitLock)}
	l.db = stdlib.OpenDB(*config)
	l.db.SetMaxOpenConns(16)
	l.writes = l.db
	l.db.SetConnMaxIdleTime(time.Minute)
	if err := l.migrate(ctx); err != nil {
		_ = l.db.Close()
		return nil, l.explain("open ledger", err)
	}
	return l, nil
}

// place is where the database is, without what is secret.
func place(c *pgx.ConnConfig) string {
	u := url.URL{Scheme: "postgres", Host: strings.Join(hostsOf(c), ","), Path: c.Database}
	return u.String()
}

// Close closes the ledger.
func (l *Postgres) Close() error { return l.db.Close() }

// migrate brings the schema to the last version. Whoever comes second waits,
// and finds the work done. One version newer is served too, so that a fleet can
// be upgraded server by server: a migration must keep the version before at work.
func (l *Postgres) migrate(ctx context.Context) error {
	return l.transact(ctx, func(t tx) error {
		schema := l.config.RuntimeParams["search_path"]
		for _, statement := range []string{
			fmt.Sprintf("SELECT pg_advisory_xact_lock(%d)", migrateLock),
			"CREATE SCHEMA IF NOT EXISTS " + pgx.Identifier{schema}.Sanitize(),
			"CREATE TABLE IF NOT EXISTS version (one INTEGER PRIMARY KEY CHECK (one = 1), schema INTEGER NOT NULL)",
		} {
			if err := t.exec(ctx, statement); err != nil {
				return err
			}
		}
		now := 0
		if err := t.row(ctx, "SELECT schema FROM version").Scan(&now); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		steps := postgresMigrations()
		if now > len(steps)+1 {
			return mishap.WithHint(fmt.Errorf("it was written by a newer mishap: it has schema %d, this program knows %d", now, len(steps)), "use that newer mishap")
		}
		for ; now < len(steps); now++ {
			if err := t.exec(ctx, steps[now], pgx.QueryExecModeSimpleProtocol); err != nil {
				return fmt.Errorf("migrate to schema %d: %w", now+1, err)
			}
			if err := t.exec(ctx, "INSERT INTO version (one, schema) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET schema = excluded.schema", now+1); err != nil {
				return err
			}
		}
		return nil
	})
}

// explainDatabase says what went wrong with the database in words.
func (l *Postgres) explainDatabase(doing string, err error) error {
	if err == nil {
		return nil
	}
	wrapped := fmt.Errorf("%s %s: %w", doing, l.where, err)
	var hinted *mishap.Hinted
	if errors.As(err, &hinted) {
		return mishap.WithHint(wrapped, hinted.Hint)
	}
	var connect *pgconn.ConnectError
	var answer *pgconn.PgError
	switch {
	case errors.As(err, &connect):
		return mishap.WithHint(wrapped, "nothing is injected while the ledger cannot be reached; what is in force is reverted from memory")
	case errors.As(err, &answer) && answer.Code == "25006":
		return mishap.WithHint(wrapped, "the database is read-only: is it a standby?")
	}
	return wrapped
}
