package ledger

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// leaseGoesOn is whether the lease of a row of servers does. One that ends later than
// any lease may was given before the database's clock went back: nobody can wait for
// that end.
const leaseGoesOn = `until > clock_timestamp() AND until <= clock_timestamp() + interval '6 minutes' AND incarnation IN ('', incarnation_now())`

// mayOwn refuses to give a run to a server whose lease is over, or of a database that
// this one has replaced: it would be lost at once. One that this database never heard
// of joined another, whose last commits are lost.
func (t tx) mayOwn(ctx context.Context, server string) error {
	if !t.dialect.leases {
		return nil
	}
	alive, err := t.alive(ctx, server, "")
	if err == nil && !alive {
		err = fmt.Errorf("%w: the lease of server %s is over", ErrFenced, server)
	}
	return err
}

// alive reports whether the lease of a server goes on. Where servers hold kernel locks
// instead, who asks has looked at them. The lock keeps it from being renewed meanwhile.
func (t tx) alive(ctx context.Context, server, lock string) (alive bool, err error) {
	if !t.dialect.leases {
		return false, nil
	}
	err = t.row(ctx, `SELECT `+leaseGoesOn+` FROM servers WHERE id = ?`+lock, server).Scan(&alive)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return alive, err
}

// Join makes this process a server with a lease on the database's clock, which
// it renews on a connection of its own.
func (l *Postgres) Join(ctx context.Context, lost func(error)) (string, func() error, error) {
	id := strings.ToLower(rand.Text()[:12])
	hostname, _ := os.Hostname()
	conn, err := pgx.ConnectConfig(ctx, l.config)
	if err != nil {
		return "", nil, l.explain("register server in", err)
	}
	began := time.Now()
	var incarnation string
	err = conn.QueryRow(ctx, "INSERT INTO servers (id, host, until, incarnation) VALUES ($1, $2, clock_timestamp() + $3 * interval '1 microsecond', incarnation_now()) RETURNING incarnation",
		id, hostname, l.lease.Microseconds()).Scan(&incarnation)
	if err != nil {
		_ = conn.Close(ctx)
		return "", nil, l.explain("register server in", err)
	}
	r := &renewal{ledger: l, id: id, of: incarnation, conn: conn, lost: lost, end: make(chan struct{}), done: make(chan struct{})}
	r.good.Store(&began)
	l.mu.Lock()
	if l.renewals == nil {
		l.renewals = map[string]*renewal{}
	}
	l.renewals[id] = r
	l.mu.Unlock()
	go r.loop()
	var once sync.Once
	return id, func() error {
		var err error
		once.Do(func() { err = r.close() })
		return err
	}, nil
}

// Alive reports whether a server's lease goes on.
func (l *Postgres) Alive(ctx context.Context, server string) (bool, error) {
	var alive bool
	err := l.row(ctx, `SELECT `+leaseGoesOn+` FROM servers WHERE id = ?`, server).Scan(&alive)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return alive, l.explain("look for server in", err)
}

// Lapsed compares with when the last renewal that succeeded began, by both clocks
// of the machine: one stands still while it sleeps, the other may be set.
func (l *Postgres) Lapsed(server string) bool {
	r := l.renewalOf(server)
	if r == nil {
		return false
	}
	good := *r.good.Load()
	return r.over.Load() || time.Since(good) >= l.lease || time.Now().Round(0).Sub(good.Round(0)) >= l.lease
}

// Incarnation is what the database said when the server joined.
func (l *Postgres) Incarnation(server string) string {
	if r := l.renewalOf(server); r != nil {
		return r.of
	}
	return ""
}

func (l *Postgres) renewalOf(server string) *renewal {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.renewals[server]
}

// Servers lists the servers, dead ones too.
func (l *Postgres) Servers(ctx context.Context) ([]string, error) {
	rows, err := l.rows(ctx, `SELECT id FROM servers ORDER BY id`)
	if err != nil {
		return nil, l.explain("list servers in", err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, l.explain("list servers in", err)
		}
		all = append(all, id)
	}
	return all, l.explain("list servers in", rows.Err())
}

// Forget removes a server whose lease has ended, if it owns no active run.
func (l *Postgres) Forget(ctx context.Context, server string) {
	_ = l.transact(ctx, func(t tx) error {
		return t.exec(ctx, `DELETE FROM servers WHERE id = ? AND NOT (`+leaseGoesOn+`)
			AND NOT EXISTS (SELECT 1 FROM runs WHERE server = ? AND ended IS NULL)`, server, server)
	})
}
