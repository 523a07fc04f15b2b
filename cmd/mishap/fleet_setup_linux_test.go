package main

import (
	"cmp"
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
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

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

// fleetOptions are what a fleet is made of.
type fleetOptions struct {
	servers     int
	experiments int
	write       func(dir string, i int) error // writes the i-th experiment's file
	settings    string                        // lines of the servers' settings
	env         []string                      // of the servers
	envOf       func(server int) []string     // of one of them; nil: nothing more
	pg          *pgtest.Server                // nil: a new one
	address     string                        // of the ledger; empty: that of pg
	mortal      int                           // how many servers have a lease that may end while the test goes on
	lease       time.Duration                 // of those; 0: fleetLease
}

// longLease is that of a server that is not to lose it, however busy the machine is.
const longLease = 5 * time.Minute

func newFleet(t *testing.T, servers, mortal, experiments int) *fleet {
	t.Helper()
	return markedFleet(t, fleetOptions{servers: servers, mortal: mortal, experiments: experiments}, func(int) (injector, rest string) { return "mark", "30m}]\n" })
}

// markedFleet is a fleet with experiments that mark a key each: of marked are the
// kind of the i-th, and what its file says from the duration of the fault on.
func markedFleet(t *testing.T, o fleetOptions, marked func(i int) (injector, rest string)) *fleet {
	t.Helper()
	slow := newTarget(t, 300*time.Millisecond)
	o.settings += "hosts: [target]\n"
	o.env = append(o.env, "MISHAP_TEST_TARGET="+slow.URL)
	o.write = func(dir string, i int) error {
		injector, rest := marked(i)
		return os.WriteFile(filepath.Join(dir, fmt.Sprintf("e%03d.yaml", i)), fmt.Appendf(nil, `version: 1
name: e%03d
claim: It is well.
steadyState: [{name: ok, probe: http, with: {url: "%s/ok"}, expect: {status: 200}, every: 2s, unknown: 10 of 20}]
blastRadius: {targets: 1}
faults: [{name: mark, injector: %s, targets: {key: k%03d}, for: %s`, i, slow.URL, injector, i, rest), 0o600)
	}
	f := fleetOf(t, o)
	f.target = slow
	return f
}

// startPostgres starts a server for a test, or skips it.
func startPostgres(t *testing.T) *pgtest.Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	pg, err := pgtest.Start(ctx)
	if errors.Is(err, pgtest.ErrMissing) {
		t.Skip("SKIPPED: no PostgreSQL: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pg.Stop)
	return pg
}

// fleetOf starts servers on one PostgreSQL.
func fleetOf(t *testing.T, o fleetOptions) *fleet {
	t.Helper()
	if o.pg == nil {
		o.pg = startPostgres(t)
	}
	if o.address == "" {
		o.address = o.pg.URL("postgres")
	}
	f := &fleet{t: t, dir: t.TempDir(), pg: o.pg, env: o.env, target: &target{}, address: o.address}
	folder := filepath.Join(f.dir, "experiments")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range o.experiments {
		if err := o.write(folder, i); err != nil {
			t.Fatal(err)
		}
	}
	for i := range o.servers {
		m := &member{state: filepath.Join(f.dir, fmt.Sprintf("s%d", i))}
		if o.envOf != nil {
			m.env = o.envOf(i)
		}
		lease := longLease
		if i < o.mortal {
			lease = cmp.Or(o.lease, fleetLease)
		}
		all := fmt.Sprintf("%sledger: %s\nserverLease: %s\ngovernor: {runs: 1000}\nsources: [{name: x, folder: %s, poll: 1h}]\nlisten: none\n", o.settings, f.address, lease, folder)
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
	path, err := os.Executable()
	if err != nil {
		f.t.Fatal(err)
	}
	if old := os.Getenv("MISHAP_FLEET_OLD"); old != "" && (len(f.servers) == 0 || m == f.servers[0]) {
		path = old // a test binary of the version before: a rolling upgrade
	}
	out, err := os.OpenFile(filepath.Join(m.state, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		f.t.Fatal(err)
	}
	defer out.Close()
	m.cmd = programOf(path, slices.Concat(f.env, m.env), "serve", "--config", filepath.Join(m.state, "mishap.yaml"), "--state", m.state)
	m.cmd.Stdout, m.cmd.Stderr = out, out
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := startLocked(m.cmd); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { f.kill(m) })
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
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

// allIn starts all experiments, each of one server, waits until so many faults are in,
// and returns who was asked for which. A run that did not inject before its server's
// lease might have ended, on a busy machine, is asked for again.
func (f *fleet) allIn(servers []*member, experiments int, in func() int) map[string]int {
	f.t.Helper()
	asked := f.startOn(servers, experiments)
	f.until(3*time.Minute, "all faults are in", func() bool {
		if in() == experiments {
			return true
		}
		if active, err := f.notOver(); err == nil && len(active) < experiments {
			maps.Copy(asked, f.startOn(servers, experiments))
		}
		return false
	})
	return asked
}

// marked counts the marks.
func (f *fleet) marked() int { return len(f.target.left()) }

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
