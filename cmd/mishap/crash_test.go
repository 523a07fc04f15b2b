package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
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

	"mishap/internal/engine"
	"mishap/internal/keeper"
)

// crashes is how often a test kills mishap; `make crash` sets it higher.
func crashes(t *testing.T) int {
	n, err := strconv.Atoi(os.Getenv("MISHAP_CRASHES"))
	if err != nil {
		n = 8
	}
	if runtime.GOOS != "linux" {
		t.Skip("faults on processes work on Linux only")
	}
	return n
}

// victim is a process that mishap stops, and the experiment that does it.
type victim struct {
	t     *testing.T
	dir   string
	pid   int
	state string
}

const stopVictim = `version: 1
name: stop-victim
claim: Nothing breaks.
steadyState:
  - {name: fine, probe: exec, with: {argv: ["true"]}, every: 50ms}
faults:
  - {name: stop, injector: process-stop, targets: {pid: %d}, for: 10m}
blastRadius: {targets: 1}
recovery: {within: 2m}
`

func newVictim(t *testing.T) *victim {
	t.Helper()
	v := &victim{t: t, dir: t.TempDir()}
	v.state = filepath.Join(v.dir, "state")
	sleeper := exec.Command("sleep", "3600")
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sleeper.Process.Kill(); _ = sleeper.Wait() })
	v.pid = sleeper.Process.Pid
	leaveNobody(t, v.dir)
	if err := os.WriteFile(v.dir+"/stop.yaml", fmt.Appendf(nil, stopVictim, v.pid), 0o600); err != nil {
		t.Fatal(err)
	}
	return v
}

// mishap makes a command of this program.
func (v *victim) mishap(args ...string) *exec.Cmd {
	c := program([]string{"MISHAP_STATE=" + v.state}, args...)
	c.Dir = v.dir
	return c
}

// stopped reports whether the victim is stopped now.
func (v *victim) stopped() bool {
	state := stateOf(v.pid)
	if state == 0 {
		v.t.Fatalf("process %d is gone", v.pid)
	}
	return state == 'T'
}

// leaveNobody lets the keepers die that a test leaves in a folder: they would write
// into it while it is removed.
func leaveNobody(t *testing.T, dir string) {
	t.Cleanup(func() {
		for pids := keepersIn(dir); len(pids) > 0; pids = keepersIn(dir) {
			for _, pid := range pids {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
			for slices.ContainsFunc(pids, func(pid int) bool { return stateOf(pid) != 0 }) {
				time.Sleep(time.Millisecond)
			}
		}
	})
}

// keepersIn finds the keepers of a folder.
func keepersIn(dir string) []int { return processes("\x00keeper\x00", dir) }

// processes are those whose command line has all these words.
func processes(words ...string) []int {
	var all []int
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
next:
	for _, path := range lines {
		text, _ := os.ReadFile(path)
		for _, word := range words {
			if !bytes.Contains(text, []byte(word)) {
				continue next
			}
		}
		pid, _ := strconv.Atoi(strings.Split(path, "/")[2])
		all = append(all, pid)
	}
	return all
}

// killTogether kills processes of which none may act on another's death.
func killTogether(t *testing.T, pids ...int) {
	t.Helper()
	freeze(t, pids...)
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// freeze stops processes, and returns once every thread of all of them has stopped.
func freeze(t *testing.T, pids ...int) {
	t.Helper()
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGSTOP)
	}
	for end := time.Now().Add(2 * time.Minute); slices.ContainsFunc(pids, acts); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("one of the processes %v does not stop", pids)
		}
	}
}

// acts reports whether any thread of a process can do something.
func acts(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	return slices.ContainsFunc(threads, func(path string) bool { return !strings.ContainsRune("TtZX\x00", rune(stateIn(path))) })
}

// stateOf is what a process does, by the letter of proc_pid_stat(5): T is stopped,
// Z a zombie. 0 if it is gone.
func stateOf(pid int) byte {
	return stateIn(fmt.Sprintf("/proc/%d/stat", pid))
}

// stateIn is the same of a process or a thread.
func stateIn(path string) byte {
	stat, err := os.ReadFile(path)
	if _, rest, found := strings.Cut(string(stat), ") "); err == nil && found {
		return rest[0]
	}
	return 0
}

// await waits until the victim is, or is not, stopped; it returns how long that
// took, or false.
func (v *victim) await(stopped bool, limit time.Duration) (time.Duration, bool) {
	start := time.Now()
	for time.Since(start) < limit {
		if v.stopped() == stopped {
			return time.Since(start), true
		}
		time.Sleep(time.Millisecond)
	}
	return limit, false
}

// keepers finds the keepers of its state directory.
func (v *victim) keepers() []int { return keepersIn(v.state) }

// kept reports whether a keeper is there, if only for the moment in which a killed
// one has no command line any more and still has the lock of its undo file.
func (v *victim) kept() bool {
	files, _ := keeper.ReadUndo(v.state)
	return len(v.keepers()) > 0 || slices.ContainsFunc(files, func(u keeper.Undo) bool { return u.Alive })
}

// start runs the experiment and, at random, waits until the victim is stopped
// or only for a moment.
func (v *victim) start() *exec.Cmd {
	c := v.mishap("run", "stop.yaml")
	if err := c.Start(); err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() { _ = c.Process.Kill() })
	if rand.IntN(4) > 0 {
		if _, ok := v.await(true, 2*time.Minute); !ok {
			v.t.Fatal("the victim was not stopped")
		}
	}
	time.Sleep(time.Duration(rand.IntN(120)) * time.Millisecond)
	return c
}

// mended runs `mishap revert --all` and wants nothing left. Who was killed before there
// was a ledger has done nothing.
func (v *victim) mended() {
	v.t.Helper()
	if _, err := os.Stat(v.state + "/ledger.db"); err != nil && !v.stopped() {
		return // what is said then depends on what else goes on on this host
	}
	out, err := v.mishap("revert", "--all").CombinedOutput()
	if err != nil || v.stopped() {
		v.t.Fatalf("revert: %v, stopped: %v\n%s", err, v.stopped(), out)
	}
	out, err = v.mishap("status", "-o", "json").Output()
	if err != nil {
		v.t.Fatalf("status: %v", err)
	}
	for each := json.NewDecoder(bytes.NewReader(out)); each.More(); {
		var run struct{ Run, State string }
		if err := each.Decode(&run); err != nil || run.Run != "" && run.State != "completed" && run.State != "refused" {
			v.t.Fatalf("after the revert: %v: %s", err, out)
		}
	}
}

// Within a second, which `make crash` asserts.
func TestKilledServersVictimRunsAgain(t *testing.T) {
	v := newVictim(t)
	n, worst, was := crashes(t), time.Duration(0), 0
	for i := range n {
		c := v.start()
		_ = c.Process.Kill()
		_ = c.Wait()
		if v.stopped() {
			was++
		}
		// A keeper may be about to inject when its server dies: it must not.
		took, ok := v.await(false, 2*time.Minute)
		if !ok || took > time.Second && os.Getenv("MISHAP_CRASHES") != "" {
			t.Fatalf("%d of %d: still stopped %s after the kill", i+1, n, took)
		}
		worst = max(worst, took)
		for v.kept() {
			time.Sleep(time.Millisecond)
		}
		if v.stopped() {
			t.Fatalf("%d of %d: stopped again after its keeper had ended", i+1, n)
		}
		v.mended()
	}
	t.Logf("%d of %d ran again, %d of them were stopped at the kill; the slowest after %s", n, n, was, worst)
}

func TestKilledServerAndKeeperAreNamedAndMended(t *testing.T) {
	v := newVictim(t)
	n, left := crashes(t), 0
	for i := range n {
		c := v.start()
		killTogether(t, append(v.keepers(), c.Process.Pid)...)
		_ = c.Wait()
		for v.kept() {
			time.Sleep(time.Millisecond)
		}
		if v.stopped() {
			left++
			out, err := v.mishap("status").CombinedOutput()
			if err != nil || !bytes.Contains(out, []byte("stop on process sleep")) || !bytes.Contains(out, []byte("may still be in force")) {
				t.Fatalf("%d of %d: status does not name what is left: %v\n%s", i+1, n, err, out)
			}
		}
		v.mended()
	}
	t.Logf("%d of %d mended, %d of them had left the victim stopped", n, n, left)
}

func TestAKilledKeepersRunRevertsByItself(t *testing.T) {
	crashes(t)
	v := newVictim(t)
	c := v.mishap("run", "stop.yaml", "-o", "json")
	var out bytes.Buffer
	c.Stdout = &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if _, ok := v.await(true, 2*time.Minute); !ok {
		t.Fatal("the victim was not stopped")
	}
	for _, pid := range v.keepers() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	if _, ok := v.await(false, 2*time.Minute); !ok {
		t.Error("still stopped")
	}
	_ = c.Wait()
	if code := c.ProcessState.ExitCode(); code != 1 || !strings.Contains(out.String(), "the keeper was lost") {
		t.Errorf("exit %d: %s", code, out.String())
	}
	if left, _ := os.ReadDir(v.state + "/undo"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestALostLedgerDoesNotKeepWhatIsLeftFromBeingReverted(t *testing.T) {
	crashes(t)
	for name, lose := range map[string]func(string) error{
		"removed": os.Remove,
		"damaged": func(path string) error { return os.WriteFile(path, []byte("this was a ledger"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			v := newVictim(t)
			c := v.mishap("run", "stop.yaml")
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			if _, ok := v.await(true, 2*time.Minute); !ok {
				t.Fatal("the victim was not stopped")
			}
			killTogether(t, append(v.keepers(), c.Process.Pid)...)
			_ = c.Wait()
			for _, path := range []string{"/ledger.db-wal", "/ledger.db-shm"} {
				_ = os.Remove(v.state + path)
			}
			if err := lose(v.state + "/ledger.db"); err != nil {
				t.Fatal(err)
			}
			for v.kept() {
				time.Sleep(time.Millisecond)
			}
			out, _ := v.mishap("status").CombinedOutput()
			if !bytes.Contains(out, []byte("not in the ledger: stop on process sleep")) {
				t.Errorf("status does not name it: %s", out)
			}
			out, _ = v.mishap("revert", "--all").CombinedOutput()
			if v.stopped() {
				t.Errorf("still stopped: %s", out)
			}
		})
	}
}

func TestFirstInterruptRevertsSecondListsThirdLeaves(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("faults on processes work on Linux only")
	}
	v := newVictim(t)
	// A revert command that takes its time, so that there is something to list.
	slow := `version: 1
name: slow
claim: Nothing breaks.
steadyState:
  - {name: fine, probe: exec, with: {argv: ["true"]}, every: 50ms}
faults:
  - name: flag
    injector: exec
    with: {inject: [touch, flag], revert: {shell: "test -e go && rm -f flag"}, verify: [test, -e, flag], diesWith: boot}
    for: 10m
blastRadius: {targets: 1}
`
	if err := os.WriteFile(v.dir+"/slow.yaml", []byte(slow), 0o600); err != nil {
		t.Fatal(err)
	}
	c := v.mishap("run", "slow.yaml")
	var stderr lines
	c.Stderr = &stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill() })
	for _, want := range []string{"holding", "reverting; a second one lists what is still in force", "a third one leaves that to the keepers"} {
		for end := time.Now().Add(2 * time.Minute); !strings.Contains(stderr.String(), want); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("no %q in %s", want, stderr.String())
			}
		}
		_ = c.Process.Signal(os.Interrupt)
	}
	_ = c.Wait()
	if code := c.ProcessState.ExitCode(); code != 6 {
		t.Errorf("exit %d, want 6: %s", code, stderr.String())
	}
	if !strings.Contains(stderr.String(), "flag on command touch flag") {
		t.Errorf("it does not say what is left: %s", stderr.String())
	}
	// The keeper goes on, and the next command knows.
	if err := os.WriteFile(v.dir+"/go", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(v.dir + "/flag"); err != nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the keeper did not revert")
		}
	}
	if out, err := v.mishap("revert", "--all").CombinedOutput(); err != nil {
		t.Errorf("revert: %v %s", err, out)
	}
}

// lines collects what another process writes while it is read.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// crashAt kills this process at its n-th point; where is "server 17" or "keeper
// 3", and each process takes only what is meant for it.
func crashAt(where string) engine.Around {
	who, number, _ := strings.Cut(where, " ")
	n, _ := strconv.Atoi(number)
	me := "server"
	if len(os.Args) > 1 && os.Args[1] == "keeper" {
		me = "keeper"
	}
	if n == 0 || who != me {
		return nil
	}
	var mu sync.Mutex
	return func(point string) {
		mu.Lock()
		defer mu.Unlock()
		if n--; n == 0 {
			_ = os.WriteFile("crashed", []byte(point), 0o600)
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
}

const threeFaults = `version: 1
name: three
claim: Nothing breaks.
steadyState:
  - {name: fine, probe: exec, with: {argv: ["true"]}, every: 20ms}
faults:
  - {name: stop, injector: process-stop, targets: {pid: %d}, for: 60ms}
  - name: a
    injector: exec
    with: {inject: [touch, a], revert: [rm, -f, a], verify: [test, -e, a], diesWith: boot}
    for: 30ms
  - name: b
    injector: exec
    with: {inject: [touch, b], revert: [rm, -f, b], verify: [test, -e, b], diesWith: boot}
    for: 20ms
    after: {fault: a, wait: 10ms}
blastRadius: {targets: 3}
recovery: {within: 2m, first: 1ms}
`

func TestTheRealProgramKilledAtEveryCallLeavesNothing(t *testing.T) {
	crashes(t)
	v := newVictim(t)
	if err := os.WriteFile(v.dir+"/three.yaml", fmt.Appendf(nil, threeFaults, v.pid), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"server", "keeper"} {
		points := 0
		for died := true; died; {
			points++
			died = v.crashOnce(fmt.Sprint(who, " ", points))
		}
		least := map[string]int{"server": 35, "keeper": 12}[who]
		if points-1 < least {
			t.Errorf("the %s was killed at only %d points", who, points-1)
		}
		t.Logf("killed the %s at each of %d points", who, points-1)
	}
}

// crashOnce kills at one point, mends, and wants the first state back. It
// reports whether the run came to that point.
func (v *victim) crashOnce(where string) bool {
	v.t.Helper()
	c := v.mishap("run", "three.yaml", "-o", "json")
	c.Env = append(c.Env, "MISHAP_TEST_CRASH="+where)
	out, _ := c.Output()
	point, err := os.ReadFile(v.dir + "/crashed")
	died := err == nil
	_ = os.Remove(v.dir + "/crashed")
	held := bytes.Contains(out, []byte(`"verdict":"held"`))
	if !died && !held && !hurried(string(out)) {
		v.t.Fatalf("crash %s: %s", where, out)
	}
	// A keeper that dies while reverting takes nothing from what was seen before.
	if died && held && !bytes.Contains(point, []byte("revert")) {
		v.t.Errorf("crash %s, %s: held: %s", where, point, out)
	}
	for v.kept() {
		time.Sleep(time.Millisecond)
	}
	v.mended()
	for _, name := range []string{"/a", "/b"} {
		if _, err := os.Stat(v.dir + name); err == nil {
			v.t.Errorf("crash %s: %s is left", where, name)
		}
	}
	for _, folder := range []string{"/undo", "/servers"} {
		if left, _ := os.ReadDir(v.state + folder); len(left) != 0 {
			v.t.Errorf("crash %s, %s: left behind: %v", where, point, left)
		}
	}
	return died
}
