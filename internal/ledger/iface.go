package ledger

import (
	"context"
	"time"

	"mishap"
)

// Ledger is what every ledger does, by what it is of. [SQLite] says what each
// call must do. Who needs one part of it asks for that part alone.
type Ledger interface {
	Runs
	Schedules
	Sources
	Stops
	Locks
	Audit
	Members
	Close() error
}

// Runs are the runs of a ledger, their journals, and the injections that they hold.
type Runs interface {
	Begin(context.Context, Start) (Lease, error)
	Refuse(ctx context.Context, server string, all []Refusal) error
	Append(context.Context, Lease, ...mishap.Entry) error
	Prepare(context.Context, Lease, mishap.Entry, mishap.Injection) error
	TakeOver(ctx context.Context, old Lease, server string) (Lease, error)
	Retire(ctx context.Context, before time.Time, keep, limit int) (int, error)

	Entries(ctx context.Context, run string) ([]mishap.Entry, error)
	Injections(ctx context.Context, run string) ([]mishap.Injection, error)
	InjectionCounts(context.Context) (map[mishap.InjectionState]int, error)
	InjectionState(ctx context.Context, id string) (mishap.InjectionState, error)
	Holder(ctx context.Context, thing string) (run string, err error)

	Runs(ctx context.Context, limit int) ([]Record, error)
	RunsOf(ctx context.Context, experiment string, limit int) ([]Record, error)
	RunsBefore(ctx context.Context, before time.Time, experiment string, limit int) ([]Record, error)
	Latest(context.Context) ([]Record, error)
	Unfinished(context.Context) ([]Record, error)
	Ongoing(context.Context) ([]mishap.Ongoing, error)
	Find(ctx context.Context, which string) (Record, error)
}

// Schedules are what is due when, and what waits for its turn.
type Schedules interface {
	Schedules(context.Context) ([]Schedule, error)
	SetSchedules(ctx context.Context, source string, all []Schedule) error
	Reset(context.Context, []Schedule) error
	Due(ctx context.Context, at time.Time, limit int, mine func(Schedule) bool) ([]Schedule, error)
	NextDue(ctx context.Context, after time.Time) (time.Time, error)
	Claim(ctx context.Context, d Schedule, turn Turn) (bool, error)
	Postpone(context.Context, []Turn) error
	Queue(ctx context.Context, now time.Time) ([]mishap.Waiting, error)
}

// Sources are where experiments come from, and which revision of each is in force.
type Sources interface {
	Revision(ctx context.Context, source string) (Revision, error)
	Publish(ctx context.Context, r Revision, after int64) (Revision, error)
	Looked(context.Context, SourceState) error
	Sources(context.Context) ([]SourceState, error)
	ForgetSource(ctx context.Context, name string) error
}

// Stops are what ends runs from outside: the halt of everything, and requests to
// the server of one run.
type Stops interface {
	Halt(context.Context, Halt) error
	Resume(ctx context.Context, by, reason string, at time.Time) error
	Halted(context.Context) (*Halt, error)
	AskStop(context.Context, StopRequest) error
	Stops(ctx context.Context, server string) ([]StopRequest, error)
}

// Locks are what keeps an experiment from running until a person agrees: the lock
// of one that deviated, and the approvals of those that need one.
type Locks interface {
	Locks(context.Context) ([]mishap.Lock, error)
	Unlock(ctx context.Context, experiment, by, reason string, at time.Time) error
	Approve(context.Context, mishap.Approval) error
	Approvals(context.Context) ([]mishap.Approval, error)
	Disapprove(ctx context.Context, experiment, by string, at time.Time) error
}

// Audit is who did what, and what was announced.
type Audit interface {
	Record(context.Context, Act) error
	// Audit lists acts with a higher id than after, oldest first; with a before, those
	// between the two, newest first.
	Audit(ctx context.Context, after, before int64, limit int) ([]Act, error)
	RetireActs(ctx context.Context, before time.Time, limit int) (int, error)
	// First reports whether nobody asked for this before.
	First(ctx context.Context, what string, at time.Time) (bool, error)
}

// Members are the servers of a ledger.
type Members interface {
	// Join makes this process a server; leave ends that. Lost is called once
	// if the server could not show for two thirds of its lease that it lives:
	// it must stop what it does, because others may take over soon.
	Join(ctx context.Context, lost func(error)) (id string, leave func() error, err error)
	// Alive reports whether a server lives. An error means that it cannot be
	// known, and must not be taken for death.
	Alive(ctx context.Context, server string) (bool, error)
	// Lapsed reports whether the lease of a server of this process may have ended,
	// so that others may own its runs. It asks nobody, so that it is right at once
	// after the process was frozen.
	Lapsed(server string) bool
	// Incarnation is which database the lease of a server of this process is of:
	// a standby that was promoted is another one. Empty if that is not known.
	Incarnation(server string) string
	// Servers lists the servers, dead ones too.
	Servers(context.Context) ([]string, error)
	// Forget removes what a dead server left of itself.
	Forget(ctx context.Context, server string)
}

var (
	_ Ledger = (*SQLite)(nil)
	_ Ledger = (*Postgres)(nil)
	_ Ledger = (*Memory)(nil)
)

// Join is [Register] for the ledger's folder: a kernel lock is never lost.
func (l *SQLite) Join(context.Context, func(error)) (string, func() error, error) {
	s, err := Register(l.dir())
	if err != nil {
		return "", nil, err
	}
	return s.ID, s.Close, nil
}

// Alive is like [Alive].
func (l *SQLite) Alive(_ context.Context, server string) (bool, error) { return Alive(l.dir(), server) }

// Lapsed is never so: a kernel lock ends with its process.
func (l *SQLite) Lapsed(string) bool { return false }

// Incarnation is empty: nobody takes over from a file.
func (l *SQLite) Incarnation(string) string { return "" }

// Servers is like [Servers].
func (l *SQLite) Servers(context.Context) ([]string, error) { return Servers(l.dir()) }

// Forget is like [Forget].
func (l *SQLite) Forget(_ context.Context, server string) { Forget(l.dir(), server) }
