package member

import (
	"context"
	"errors"
	"time"

	"mishap"
	"mishap/internal/ledger"
	"mishap/internal/pulse"
	"mishap/internal/runner"
	"mishap/internal/socket"
)

// ErrLeaseLost keeps a server that others may take for dead from starting runs.
var ErrLeaseLost = errors.New("the server's lease in the ledger was lost; nothing starts until it has a new one")

// Join makes this process a server, once. Its kind is serve, run or revert.
func (m *Member) Join(ctx context.Context, kind string) (string, error) {
	book, err := m.Ledger(ctx)
	if err != nil {
		return "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.server == "" {
		if m.server, m.leave, err = book.Join(ctx, m.leaseLost); err != nil {
			return "", err
		}
		leave, quiet := m.leave, m.announcePresence(m.server, kind)
		m.leave = func() error { quiet(); return leave() }
		if p := pulse.New(m.stillFor()); m.pulse.CompareAndSwap(nil, p) {
			p.Start()
		}
		m.fenced.Store(false)
	}
	return m.server, nil
}

// leaseLost reverts everything here: another server may be taking it over.
func (m *Member) leaseLost(why error) {
	m.fenced.Store(true)
	m.log.Error("lease lost: every run here reverts", "error", why)
	go func() {
		for m.fenced.Load() && m.desk.stopAll(runner.Stop{Cause: mishap.CauseInternal, Reason: why.Error()}) > 0 {
			time.Sleep(haltEvery)
		}
	}()
}

// Rejoin makes this process a server again, under a new name, once all that it
// did before is over.
func (m *Member) Rejoin(ctx context.Context) error {
	if !m.fenced.Load() || len(m.desk.here()) > 0 {
		return nil
	}
	m.mu.Lock()
	leave := m.leave
	m.server, m.leave = "", nil
	m.mu.Unlock()
	if leave != nil {
		_ = leave() // it has ended by itself
	}
	_, err := m.Join(ctx, "serve")
	return err
}

// InjectWithin is how long an injecting call may take: it must be over before a
// lease can end, of which a third is always left.
func (m *Member) InjectWithin() time.Duration {
	if ledger.IsPostgres(m.address) {
		return m.lease / 3
	}
	return 0
}

// Fenced reports whether the lease is lost: nothing may start.
func (m *Member) Fenced() bool { return m.fenced.Load() }

// Server is the name of this server, which is another one after a lost lease.
func (m *Member) Server() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.server
}

// Unattended reports a run that this process owns and that nobody is on: it is
// stranded, or taking it over failed half way.
func (m *Member) Unattended(r ledger.Record) bool {
	server := m.Server()
	return server != "" && server == r.Server && !m.desk.attended(r.ID)
}

// Forget removes what a dead server left of itself. That it is dead is proven
// here: who retries a stranded run of its own takes it over from itself.
func (m *Member) Forget(ctx context.Context, book ledger.Members, server string) {
	if alive, err := book.Alive(ctx, server); err != nil || alive {
		return
	}
	book.Forget(ctx, server)
	socket.Remove(socketPath(m.state, server))
}
