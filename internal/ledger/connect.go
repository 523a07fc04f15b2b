package ledger

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"net/url"

	"modernc.org/sqlite"
)

// mostReaders is how many may read a ledger at once; others wait for their turn.
const mostReaders = 4

// connect opens the pools of a ledger's file. Writes take turns on a connection of
// their own, where whoever waits obeys its context; reads have others, which wait
// for no write.
func (l *SQLite) connect() {
	l.db = sql.OpenDB(connector{dsn(l.path, "query_only(1)")})
	l.db.SetMaxOpenConns(mostReaders)
	l.db.SetMaxIdleConns(mostReaders)
	l.writes = sql.OpenDB(connector{dsn(l.path)})
	l.writes.SetMaxOpenConns(1)
}

// dsn makes every transaction take the write lock at once, so that it cannot
// fail half way, and every commit wait for the disk.
func dsn(path string, pragmas ...string) string {
	q := url.Values{"_txlock": {"immediate"}, "_pragma": append([]string{
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "cache_size(-1024)",
	}, pragmas...)}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}

// connector opens connections to a file. Opening one reads the file, and the driver
// waits as long as another process locks it, whatever context is given: here who
// opens it waits no longer than its own.
type connector struct{ dsn string }

// Driver is that of SQLite.
func (connector) Driver() driver.Driver { return new(sqlite.Driver) }

// Connect opens one. What is opened too late is closed.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	type opened struct {
		conn driver.Conn
		err  error
	}
	got := make(chan opened, 1)
	go func() {
		conn, err := c.Driver().Open(c.dsn)
		got <- opened{conn, err}
	}()
	select {
	case o := <-got:
		return o.conn, o.err
	case <-ctx.Done():
	}
	go func() {
		if o := <-got; o.err == nil {
			_ = o.conn.Close()
		}
	}()
	return nil, ctx.Err()
}
