package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mishap"
	"mishap/internal/ledger"
	"mishap/internal/pgtest"
)

const fleetLease = 5 * time.Second

// fleet is several real servers on one real PostgreSQL, and a slow target.
type fleet struct {
	t       *testing.T
	dir     string
	pg      *pgtest.Server
	target  *target
	servers []*member
	env     []string // of the servers
	address string   // of the ledger
}

func newFleet(t *testing.T, servers, experiments int, lasts string) *fleet {
	t.Helper()
	return markedFleet(t, servers, experiments, func(i int) (injector, rest string) { return "mark", lasts + "}]\n" })
}

// markedFleet is a fleet with experiments that mark a key each: of marked are the
// kind of the i-th, and what its file says from the duration of the fault on.
func markedFleet(t *testing.T, servers, experiments int, marked func(i int) (injector, rest string)) *fleet {
	t.Helper()
	slow := newTarget(t, 300*time.Millisecond)
	f := fleetOf(t, servers, "hosts: [target]\n", []string{"MISHAP_TEST_TARGET=" + slow.URL}, experiments, func(dir string, i int) error {
		injector, rest := marked(i)
		return os.WriteFile(filepath.Join(dir, fmt.Sprintf("e%03d.yaml", i)), fmt.Appendf(nil, `version: 1
name: e%03d
claim: It is well.
steadyState: [{name: ok, probe: http, with: {url: "%s/ok"}, expect: {status: 200}, every: 2s, unknown: 10 of 20}]
blastRadius: {targets: 1}
faults: [{name: mark, injector: %s, targets: {key: k%03d}, for: %s`, i, slow.URL, injector, i, rest), 0o600)
	})
	f.target = slow
	return f
}

// fleetOf starts servers on one PostgreSQL with these experiments, settings and
// environment.
func fleetOf(t *testing.T, servers int, settings string, env []string, experiments int, write func(dir string, i int) error) *fleet {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	pg, err := pgtest.Start(ctx)
	if errors.Is(err, pgtest.ErrMissing) {
		t.Skip("SKIPPED: no PostgreSQL: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pg.Stop)
	f := &fleet{t: t, dir: t.TempDir(), pg: pg, env: env, target: &target{}, address: pg.URL("postgres")}
	folder := filepath.Join(f.dir, "experiments")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range experiments {
		if err := write(folder, i); err != nil {
			t.Fatal(err)
		}
	}
	for i := range servers {
		m := &member{state: filepath.Join(f.dir, fmt.Sprintf("s%d", i))}
		all := fmt.Sprintf("%sledger: %s\nserverLease: %s\ngovernor: {runs: 1000}\nsources: [{name: x, folder: %s, poll: 1h}]\nlisten: none\n", settings, f.address, fleetLease, folder)
		if err := errors.Join(os.Mkdir(m.state, 0o700), os.WriteFile(filepath.Join(m.state, "mishap.yaml"), []byte(all), 0o600)); err != nil {
			t.Fatal(err)
		}
		f.servers = append(f.servers, m)
		f.up(m)
	}
	return f
}

// up starts a server and waits until it answers.
func (f *fleet) up(m *member) {
	f.t.Helper()
	program, err := os.Executable()
	if err != nil {
		f.t.Fatal(err)
	}
	if old := os.Getenv("MISHAP_FLEET_OLD"); old != "" && (len(f.servers) == 0 || m == f.servers[0]) {
		program = old // a test binary of the version before: a rolling upgrade
	}
	out, err := os.OpenFile(filepath.Join(m.state, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		f.t.Fatal(err)
	}
	defer out.Close()
	m.cmd = exec.Command(program, "serve", "--config", filepath.Join(m.state, "mishap.yaml"), "--state", m.state)
	m.cmd.Env = append(append(os.Environ(), "MISHAP_TEST_PROGRAM=1"), f.env...)
	m.cmd.Stdout, m.cmd.Stderr = out, out
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := startLocked(m.cmd); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { f.kill(m) })
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if status, _ := m.call("GET", "/readyz", ""); status == http.StatusOK {
			return
		}
	}
	text, _ := os.ReadFile(filepath.Join(m.state, "log"))
	f.t.Fatalf("a server does not come up:\n%s", text)
}

// startLocked starts a process from a thread that lives as long as it does: the
// kernel ends the process with the thread.
func startLocked(cmd *exec.Cmd) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			var info unix.Siginfo
			_ = unix.Waitid(unix.P_PID, cmd.Process.Pid, &info, unix.WEXITED|unix.WNOWAIT, nil)
		}
	}()
	return <-started
}

func (f *fleet) kill(m *member) {
	if m.cmd.ProcessState == nil {
		_ = m.cmd.Process.Kill()
		_ = m.cmd.Wait()
	}
}

// start asks for all experiments, each of one server, and returns who was asked
// for which.
func (f *fleet) start(experiments int) map[string]int { return f.startOn(f.servers, experiments) }

func (f *fleet) startOn(servers []*member, experiments int) map[string]int {
	asked := map[string]int{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for s, m := range servers {
		all.Go(func() {
			for i := s; i < experiments; i += len(servers) {
				name := fmt.Sprintf("e%03d", i)
				if status, _ := m.call("POST", "/v1/runs", fmt.Sprintf(`{"experiment": %q}`, name)); status == http.StatusAccepted {
					mu.Lock()
					asked[fmt.Sprintf("k%03d", i)] = s
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	return asked
}

// until waits for something, ten times as long as an idle machine may need, and fails loudly.
func (f *fleet) until(limit time.Duration, what string, ok func() bool) time.Duration {
	f.t.Helper()
	start := time.Now()
	for time.Since(start) < 10*limit {
		if ok() {
			return time.Since(start)
		}
		time.Sleep(20 * time.Millisecond)
	}
	f.t.Fatalf("not within %s: %s; %d marks are left%s", limit, what, len(f.target.left()), f.unfinished())
	return 0
}

// unfinished says which runs are active, and what their servers say.
func (f *fleet) unfinished() string {
	book, err := ledger.OpenPostgres(f.t.Context(), f.address, fleetLease)
	if err != nil {
		return err.Error()
	}
	defer book.Close()
	var out strings.Builder
	active, err := book.Unfinished(f.t.Context())
	for _, r := range active {
		alive, _ := book.Alive(f.t.Context(), r.Server)
		fmt.Fprintf(&out, "\n%s of %s is %s, fence %d, server %s, which is alive: %v", r.ID, r.Experiment, r.State, r.Fence, r.Server, alive)
	}
	for _, m := range f.servers {
		if keep := os.Getenv("MISHAP_FLEET_LOGS"); keep != "" && m.cmd.ProcessState == nil {
			_ = m.cmd.Process.Signal(syscall.SIGQUIT) // a dump of all goroutines
			_ = m.cmd.Wait()
			text, _ := os.ReadFile(filepath.Join(m.state, "log"))
			_ = os.WriteFile(filepath.Join(keep, filepath.Base(m.state)+".log"), text, 0o600)
		}
		text, _ := os.ReadFile(filepath.Join(m.state, "log"))
		lines := strings.Split(string(text), "\n")
		fmt.Fprintf(&out, "\n--- %s\n%s", filepath.Base(m.state), strings.Join(lines[max(0, len(lines)-25):], "\n"))
	}
	return fmt.Sprint(out.String(), err)
}

// audit checks the ledger and the target, not the logs: nothing left, nothing
// done twice, every journal whole, every run ended.
func (f *fleet) audit() (runs int) {
	f.t.Helper()
	if left := f.target.left(); len(left) > 0 {
		f.t.Errorf("%d marks are left: %v", len(left), left)
	}
	if twice := f.target.twice(); twice != nil {
		f.t.Errorf("injected more than once: %v", twice)
	}
	if foreign := f.target.met(); foreign != nil {
		f.t.Errorf("reverts met what another run had put in: %v", foreign)
	}
	book, err := ledger.OpenPostgres(f.t.Context(), f.address, fleetLease)
	if err != nil {
		f.t.Fatal(err)
	}
	defer book.Close()
	all, err := book.Runs(f.t.Context(), 100_000)
	if err != nil {
		f.t.Fatal(err)
	}
	f.ticks(all)
	for _, r := range all {
		entries, err := book.Entries(f.t.Context(), r.ID)
		if err != nil {
			f.t.Fatal(err)
		}
		run, err := mishap.Replay(entries)
		switch {
		case err != nil:
			f.t.Errorf("journal of run %s: %v", r.ID, err)
		case r.Active() || !run.State.Ended() || len(run.Outstanding()) > 0:
			f.t.Errorf("run %s is %s in its row and %s in its journal", r.ID, r.State, run.State)
		}
	}
	return len(all)
}

// ticks checks that every minute of a schedule, from the first that was dealt with
// to the last, was dealt with once.
func (f *fleet) ticks(all []ledger.Record) {
	f.t.Helper()
	times := map[string]map[time.Time]int{}
	for _, r := range all {
		if r.Tick.IsZero() {
			continue
		}
		if times[r.Experiment] == nil {
			times[r.Experiment] = map[time.Time]int{}
		}
		times[r.Experiment][r.Tick.UTC()]++
	}
	for experiment, seen := range times {
		at := slices.SortedFunc(maps.Keys(seen), time.Time.Compare)
		for next := at[0]; !next.After(at[len(at)-1]); next = next.Add(time.Minute) {
			if seen[next] != 1 {
				f.t.Errorf("%s: the time %s was dealt with %d times", experiment, next.Format(time.RFC3339), seen[next])
			}
		}
	}
}

// settled reports whether no run is active any more.
func (f *fleet) settled() bool {
	book, err := ledger.OpenPostgres(f.t.Context(), f.address, fleetLease)
	if err != nil {
		return false
	}
	defer book.Close()
	active, err := book.Unfinished(f.t.Context())
	return err == nil && len(active) == 0
}

// The death of a server leaves no fault behind: others revert what it had in
// force, within its lease and two seconds.
func TestAKilledServersFaultsAreRevertedByTheOthers(t *testing.T) {
	experiments := 30
	if testing.Short() {
		t.Skip("SKIPPED: -short")
	}
	if n, err := strconv.Atoi(os.Getenv("MISHAP_FLEET_RUNS")); err == nil {
		experiments = n
	}
	f := newFleet(t, 3, experiments, "5m")
	asked := f.start(experiments)
	if len(asked) != experiments {
		t.Fatalf("%d of %d runs began", len(asked), experiments)
	}
	f.until(time.Minute, "all faults in force", func() bool { return len(f.target.left()) == experiments })
	f.kill(f.servers[0])
	took := f.until(fleetLease+2*time.Second, "the dead server's faults are out", func() bool {
		for key := range f.target.left() {
			if asked[key] == 0 {
				return false
			}
		}
		return true
	})
	t.Logf("%d faults of a killed server were out after %s (lease %s)", experiments/3, took.Round(time.Millisecond), fleetLease)
	if left := len(f.target.left()); left != experiments-(experiments+2)/3 {
		t.Errorf("%d faults of the other servers are in", left)
	}
	f.halt()
}

// Halt ends everything at once, on all servers.
func TestHaltRevertsWhatIsInForceOnAllServers(t *testing.T) {
	experiments := 30
	if testing.Short() {
		t.Skip("SKIPPED: -short")
	}
	if n, err := strconv.Atoi(os.Getenv("MISHAP_FLEET_RUNS")); err == nil {
		experiments = n
	}
	f := newFleet(t, 3, experiments, "5m")
	if asked := f.start(experiments); len(asked) != experiments {
		t.Fatalf("%d of %d runs began", len(asked), experiments)
	}
	f.until(time.Minute, "all faults in force", func() bool { return len(f.target.left()) == experiments })
	f.halt()
	if status, text := f.servers[0].call("POST", "/v1/runs", `{"experiment": "e000"}`); status != http.StatusConflict || !strings.Contains(text, "halted") {
		t.Errorf("a run begins after halt: %d %s", status, text)
	}
}

// halt ends everything wherever it is, and says how long that took.
func (f *fleet) halt() {
	f.t.Helper()
	n := len(f.target.left())
	began := time.Now()
	if status, text := f.servers[1].call("PUT", "/v1/halt", `{"reason": "test"}`); status != http.StatusOK {
		f.t.Fatalf("halt: %d %s", status, text)
	}
	f.until(20*time.Second, "everything is out after halt", func() bool { return len(f.target.left()) == 0 })
	took := time.Since(began)
	f.target.mu.Lock()
	last := f.target.reverted.Sub(began)
	f.target.mu.Unlock()
	f.t.Logf("halt of %d faults: last revert begun after %s, everything out after %s", n, last.Round(time.Millisecond), took.Round(time.Millisecond))
	f.until(30*time.Second, "every run has ended", f.settled)
	f.audit()
}
