package member

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"mishap"
	"mishap/internal/ledger"
	"mishap/internal/pulse"
	"mishap/internal/runner"
)

// Options say where the ledger of a server is.
type Options struct {
	State  string        // directory of state, in which the ledger is unless it has an address
	Ledger string        // address of the ledger's database; empty: none
	Lease  time.Duration // of a server in such a database
	Log    *slog.Logger
	Book   ledger.Ledger // that is open already; nil: it is opened when it is first needed
	Pulse  *pulse.Pulse  // of this process; nil: it begins with the server
}

// Member is this process among the servers of a ledger. The ledger is opened when
// it is first needed, so that commands which touch nothing leave nothing.
type Member struct {
	state, address string
	lease          time.Duration
	log            *slog.Logger

	desk   desk
	fenced atomic.Bool                 // the lease was lost: nothing starts
	pulse  atomic.Pointer[pulse.Pulse] // of this process, once it is a server; asked inside of transactions

	mu     sync.Mutex
	book   ledger.Ledger
	server string       // this process, once it is one
	leave  func() error // ends that
}

// New makes a member of a ledger, and touches nothing.
func New(o Options) *Member {
	m := &Member{state: o.State, address: o.Ledger, lease: o.Lease, log: o.Log, book: o.Book}
	m.pulse.Store(o.Pulse)
	return m
}

// Close ends this process as a server and closes the ledger.
func (m *Member) Close() {
	m.desk.close()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.leave != nil {
		_ = m.leave()
	}
	if p := m.pulse.Load(); p != nil {
		p.Stop()
	}
	if m.book != nil {
		_ = m.book.Close()
	}
}

// Attend says that somebody here is on a run, until the function is called.
func (m *Member) Attend(run string) func() { return m.desk.attend(run) }

// Attended reports whether somebody here is on a run.
func (m *Member) Attended(run string) bool { return m.desk.attended(run) }

// Watch keeps how far a run here is, and tells seen, which may be nil.
func (m *Member) Watch(seen func(mishap.Entry, *mishap.Run)) func(mishap.Entry, *mishap.Run) {
	return m.desk.watch(seen)
}

// StopAll asks every run here to end.
func (m *Member) StopAll(s runner.Stop) { m.desk.stopAll(s) }

// SocketPath is where a server's socket is, by its name.
func (m *Member) SocketPath(server string) string { return socketPath(m.state, server) }
