package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// renewal keeps a server's lease in the database alive.
type renewal struct {
	ledger *Postgres
	id     string
	of     string    // incarnation of the database
	conn   *pgx.Conn // nil while it is lost
	lost   func(error)
	end    chan struct{}
	done   chan struct{}
	good   atomic.Pointer[time.Time] // when the last renewal that succeeded began
	over   atomic.Bool               // the database says that the lease has ended
}

// errLapsed is a lease that ended before it was renewed, or that is of a database
// which this one has replaced: it never comes back.
var errLapsed = errors.New("the lease had ended, or the database is another one")

// loop renews three times per lease. If that did not work for two thirds of it,
// by the machine's own clock that goes on during sleep, the server is told to
// stop: what it does after the lease's end others may be doing too.
func (r *renewal) loop() {
	defer close(r.done)
	lease := r.ledger.lease
	last := time.Now().Round(0) // without the monotonic clock, which stands still while a machine sleeps
	told := false
	for {
		select {
		case <-r.end:
			return
		case <-time.After(lease / 3):
		}
		began := time.Now()
		err := r.renew(lease / 3)
		r.over.Store(errors.Is(err, errLapsed))
		if err == nil {
			r.good.Store(&began)
			last = time.Now().Round(0)
			continue
		}
		overdue := time.Now().Round(0).Sub(last)
		if told || !errors.Is(err, errLapsed) && overdue < lease*2/3 {
			continue
		}
		told = true
		if r.lost != nil {
			r.lost(fmt.Errorf("lease of server %s was not renewed for %s: %w", r.id, overdue.Round(time.Millisecond), err))
		}
	}
}

// renew renews once, on the connection of its own or a new one.
func (r *renewal) renew(within time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	if r.conn == nil {
		conn, err := pgx.ConnectConfig(ctx, r.ledger.config)
		if err != nil {
			return err
		}
		r.conn = conn
	}
	tag, err := r.conn.Exec(ctx, "UPDATE servers SET until = clock_timestamp() + $1 * interval '1 microsecond' WHERE id = $2 AND "+leaseGoesOn,
		r.ledger.lease.Microseconds(), r.id)
	if err != nil {
		r.drop()
		return err
	}
	if tag.RowsAffected() == 0 {
		return errLapsed
	}
	return nil
}

func (r *renewal) drop() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = r.conn.Close(ctx)
	r.conn = nil
}

// close ends the lease: others may take over at once.
func (r *renewal) close() error {
	close(r.end)
	<-r.done
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if r.conn == nil {
		return nil // it ends by itself
	}
	_, err := r.conn.Exec(ctx, "UPDATE servers SET until = clock_timestamp() WHERE id = $1", r.id)
	return errors.Join(err, r.conn.Close(ctx))
}
