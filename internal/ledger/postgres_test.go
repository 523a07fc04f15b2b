package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"mishap"
	"mishap/internal/ledger"
	"mishap/internal/nettest"
	"mishap/internal/pgtest"
)

// shared is one PostgreSQL server for all tests, or why there is none.
var shared struct {
	once   sync.Once
	server *pgtest.Server
	err    error
	next   atomic.Int64
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.server != nil {
		shared.server.Stop()
	}
	os.Exit(code)
}

// database is the address of a new, empty database; the test is skipped, aloud,
// where there is no PostgreSQL.
func database(t testing.TB) string {
	t.Helper()
	shared.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		defer cancel()
		shared.server, shared.err = pgtest.Start(ctx)
	})
	if errors.Is(shared.err, pgtest.ErrMissing) {
		t.Skip("SKIPPED: no PostgreSQL: ", shared.err)
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	name := fmt.Sprintf("t%d", shared.next.Add(1))
	conn, err := pgx.Connect(t.Context(), shared.server.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return shared.server.URL(name)
}

// patientLease is one that a server on a busy machine renews in time. Tests that wait for what becomes of it wait side by side.
const patientLease = 20 * time.Second

func openPostgres(t testing.TB, url string, lease time.Duration) *ledger.Postgres {
	t.Helper()
	l, err := ledger.OpenPostgres(t.Context(), url, lease)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	addresses.Store(l, url)
	onServers(t, l, "INSERT INTO mishap.servers (id, host, until) SELECT id, 'test', clock_timestamp() + interval '5 minutes' FROM unnest(ARRAY['one', 'two', 'three']) id ON CONFLICT DO NOTHING")
	return l
}

// addresses are those of the ledgers that tests opened.
var addresses sync.Map

// onServers changes what the database knows of servers.
func onServers(t testing.TB, l *ledger.Postgres, statement string, args ...any) {
	t.Helper()
	address, _ := addresses.Load(l)
	conn, err := pgx.Connect(t.Context(), address.(string))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

// dies ends the lease of a server, where servers have one.
func dies(t *testing.T, b book, server string) {
	t.Helper()
	if l, is := b.(*ledger.Postgres); is {
		onServers(t, l, "UPDATE mishap.servers SET until = clock_timestamp() WHERE id = $1", server)
	}
}

func TestServersThatOpenAtOnceFindOneSchema(t *testing.T) {
	url := database(t)
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			l, err := ledger.OpenPostgres(t.Context(), url, time.Minute)
			if err != nil {
				t.Error(err)
				return
			}
			_ = l.Close()
		})
	}
	all.Wait()
}

func TestEntriesCannotBeChangedInPostgres(t *testing.T) {
	url := database(t)
	l := openPostgres(t, url, time.Minute)
	begin(t, l, "r1", "e", "g")
	conn, err := pgx.Connect(t.Context(), url)
	must(t, err)
	defer conn.Close(t.Context())
	for _, statement := range []string{"UPDATE mishap.entries SET entry = '{}'", "DELETE FROM mishap.entries"} {
		if _, err := conn.Exec(t.Context(), statement); err == nil || !strings.Contains(err.Error(), "entries never") {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

func TestARunIsTakenOnlyFromAServerWhoseLeaseHasEnded(t *testing.T) {
	l := openPostgres(t, database(t), time.Minute)
	id, leave, err := l.Join(t.Context(), nil)
	must(t, err)
	s := start("r1", "e", "g")
	s.Server = id
	lease, err := l.Begin(t.Context(), s)
	must(t, err)
	if alive, err := l.Alive(t.Context(), id); err != nil || !alive {
		t.Fatalf("alive %v, %v", alive, err)
	}
	if _, err := l.TakeOver(t.Context(), lease, "two"); !errors.Is(err, ledger.ErrFenced) {
		t.Errorf("a run was taken from a server that lives: %v", err)
	}
	must(t, leave())
	if alive, err := l.Alive(t.Context(), id); err != nil || alive {
		t.Errorf("alive %v after leaving, %v", alive, err)
	}
	next, err := l.TakeOver(t.Context(), lease, "two")
	must(t, err)
	if err := l.Append(t.Context(), lease, state("r1", 2, mishap.Checking)); !errors.Is(err, ledger.ErrFenced) {
		t.Errorf("the old owner writes: %v", err)
	}
	must(t, l.Append(t.Context(), next, state("r1", 2, mishap.Checking)))
}

// A standby that takes over may lack what the old database said last, such as
// who has taken a run over.
func TestAPromotedDatabaseVoidsTheLeasesOfTheOneBefore(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	server, err := pgtest.Start(ctx)
	if errors.Is(err, pgtest.ErrMissing) {
		t.Skip("SKIPPED: no PostgreSQL: ", err)
	}
	must(t, err)
	t.Cleanup(server.Stop)
	l, err := ledger.OpenPostgres(ctx, server.URL("postgres"), time.Minute)
	must(t, err)
	defer l.Close()
	id, leave, err := l.Join(ctx, nil)
	must(t, err)
	s := start("r1", "e", "g")
	s.Server = id
	lease, err := l.Begin(ctx, s)
	must(t, err)
	must(t, l.Append(ctx, lease, state("r1", 2, mishap.Checking)))
	must(t, server.Promote(ctx))
	again, err := ledger.OpenPostgres(ctx, server.URL("postgres"), time.Minute)
	must(t, err)
	defer again.Close()
	if err := again.Append(ctx, lease, state("r1", 3, mishap.Refused)); !errors.Is(err, ledger.ErrFenced) {
		t.Errorf("a lease of the old database writes: %v", err)
	}
	if alive, err := again.Alive(ctx, id); err != nil || alive {
		t.Errorf("its server lives: %v, %v", alive, err)
	}
	next, leaveNext, err := again.Join(ctx, nil)
	must(t, err)
	taken, err := again.TakeOver(ctx, lease, next)
	must(t, err)
	must(t, again.Append(ctx, taken, state("r1", 3, mishap.Refused)))
	_, _ = leave(), leaveNext()
}

func TestAServerIsToldThatItsLeaseIsLost(t *testing.T) {
	t.Parallel()
	url := database(t)
	l := openPostgres(t, url, patientLease)
	told := make(chan error, 2)
	id, leave, err := l.Join(t.Context(), func(err error) { told <- err })
	must(t, err)
	defer func() { _ = leave() }()
	conn, err := pgx.Connect(t.Context(), url)
	must(t, err)
	defer conn.Close(t.Context())
	// As after a machine was suspended: the lease has ended meanwhile.
	_, err = conn.Exec(t.Context(), "UPDATE mishap.servers SET until = clock_timestamp() - interval '1 second' WHERE id = $1", id)
	must(t, err)
	select {
	case err := <-told:
		if !strings.Contains(err.Error(), id) {
			t.Errorf("told %v", err)
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("nobody was told")
	}
	if alive, _ := l.Alive(t.Context(), id); alive {
		t.Error("a lease that has ended came back")
	}
}

func TestALeaseIsRenewedWhileItsServerLives(t *testing.T) {
	t.Parallel()
	url := database(t)
	l := openPostgres(t, url, patientLease)
	id, leave, err := l.Join(t.Context(), func(err error) { t.Error(err) })
	must(t, err)
	defer func() { _ = leave() }()
	conn, err := pgx.Connect(t.Context(), url)
	must(t, err)
	defer conn.Close(t.Context())
	var last time.Time
	for renewed := -1; renewed < 2; time.Sleep(50 * time.Millisecond) {
		if alive, err := l.Alive(t.Context(), id); err != nil || !alive {
			t.Fatalf("alive %v, %v", alive, err)
		}
		var until time.Time
		must(t, conn.QueryRow(t.Context(), "SELECT until FROM mishap.servers WHERE id = $1", id).Scan(&until))
		if until.After(last) {
			renewed, last = renewed+1, until
		}
	}
}

func TestAPasswordIsNotInAMessage(t *testing.T) {
	_, err := ledger.OpenPostgres(t.Context(), "postgres://u:hunter2@127.0.0.1:1/x?connect_timeout=1", time.Minute)
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
	_, err = ledger.OpenPostgres(t.Context(), "postgres://u:hunter2@[", time.Minute)
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
}

// The next schedule among 100,000 is found by its index.
func BenchmarkNextDuePostgres(b *testing.B) {
	l := openPostgres(b, database(b), time.Minute)
	var all []ledger.Schedule
	for i := range 100_000 {
		all = append(all, schedule(fmt.Sprintf("e%06d", i), "1", i))
	}
	if err := l.SetSchedules(b.Context(), "s", all); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for b.Loop() {
		if due, err := l.Due(b.Context(), tick(100).Due, 100, anybodys); err != nil || len(due) != 100 {
			b.Fatal(len(due), err)
		}
	}
}

// TestALeaseIsKnownToHaveEndedWithoutAskingAnybody keeps the renewals waiting, as
// a freeze would.
func TestALeaseIsKnownToHaveEndedWithoutAskingAnybody(t *testing.T) {
	t.Parallel()
	address := database(t)
	l := openPostgres(t, address, patientLease)
	id, leave, err := l.Join(t.Context(), nil)
	must(t, err)
	defer func() { _ = leave() }()
	if l.Lapsed(id) {
		t.Error("a new lease has ended")
	}
	conn, err := pgx.Connect(t.Context(), address)
	must(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	hold, err := conn.Begin(t.Context())
	must(t, err)
	_, err = hold.Exec(t.Context(), "SELECT 1 FROM mishap.servers WHERE id = $1 FOR UPDATE", id)
	must(t, err)
	for !l.Lapsed(id) {
		time.Sleep(10 * time.Millisecond)
	}
	must(t, hold.Rollback(t.Context()))
}

func TestLookingForALedgerMakesNoneInAnEmptyDatabase(t *testing.T) {
	address := database(t)
	if ledger.ExistsPostgres(t.Context(), address) {
		t.Error("an empty database has a ledger")
	}
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var schemas int
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_namespace WHERE nspname = 'mishap'").Scan(&schemas); err != nil || schemas != 0 {
		t.Errorf("looking made a schema: %d, %v", schemas, err)
	}
	book, err := ledger.OpenPostgres(t.Context(), address, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	if !ledger.ExistsPostgres(t.Context(), address) {
		t.Error("a ledger is not found")
	}
}

// A server that does not know yet that its lease is over gets no run: that would be
// lost at once, and the time of its schedule with it.
func TestAServerWhoseLeaseIsOverGetsNoRun(t *testing.T) {
	address := database(t)
	l := openPostgres(t, address, time.Minute)
	conn, err := pgx.Connect(t.Context(), address)
	must(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	for _, c := range []struct{ name, change string }{
		{"it has ended", "until = clock_timestamp()"},
		{"it is of a database that was replaced", "incarnation = 'another'"},
		{"it is from before the database's clock went back", "until = clock_timestamp() + interval '1 hour'"},
		{"it is of commits that the database lost", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dead, leaveDead, err := l.Join(t.Context(), nil)
			must(t, err)
			id, leave, err := l.Join(t.Context(), nil)
			must(t, err)
			s := start("r "+c.name, "e", "g")
			s.Server = dead
			lease, err := l.Begin(t.Context(), s)
			must(t, err)
			must(t, leaveDead())
			statement := "UPDATE mishap.servers SET " + c.change + " WHERE id = $1"
			if c.change == "" {
				statement = "DELETE FROM mishap.servers WHERE id = $1"
			}
			_, err = conn.Exec(t.Context(), statement, id)
			must(t, err)
			if alive, err := l.Alive(t.Context(), id); err != nil || alive {
				t.Errorf("alive: %v, %v", alive, err)
			}
			if _, err := l.TakeOver(t.Context(), lease, id); !errors.Is(err, ledger.ErrFenced) {
				t.Errorf("it takes a run over: %v", err)
			}
			must(t, l.Append(t.Context(), lease, state("r "+c.name, 2, mishap.Refused)))
			s = start("n "+c.name, "e", "g")
			s.Server = id
			if _, err := l.Begin(t.Context(), s); !errors.Is(err, ledger.ErrFenced) {
				t.Errorf("it begins a run: %v", err)
			}
			_ = leave()
		})
	}
}

// An address may name several hosts. One that takes connections and says nothing
// costs no lease.
func TestAHostThatDoesNotAnswerLeavesTimeForTheOthers(t *testing.T) {
	t.Parallel()
	address := database(t)
	silent := nettest.Listen(t)
	several := strings.Replace(address, "@", "@"+silent.Addr().String()+",", 1)
	l, err := ledger.OpenPostgres(t.Context(), several, patientLease)
	must(t, err)
	defer l.Close()
	id, leave, err := l.Join(t.Context(), func(err error) { t.Error(err) })
	must(t, err)
	defer func() { _ = leave() }()
	conn, err := pgx.Connect(t.Context(), address)
	must(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	read := func(query string) (until time.Time) {
		must(t, conn.QueryRow(t.Context(), query, id).Scan(&until))
		return until
	}
	first := read("SELECT until FROM mishap.servers WHERE id = $1")
	_, err = conn.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mishap' AND datname = current_database()")
	must(t, err)
	for !read("SELECT until FROM mishap.servers WHERE id = $1").After(first) {
		time.Sleep(50 * time.Millisecond)
	}
}
