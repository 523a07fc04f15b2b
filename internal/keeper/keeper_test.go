package keeper_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"mishap"
	"mishap/internal/keeper"
)

// files is an injector whose fault is a file. It fails to revert while a file
// named like it plus ".stuck" exists, and writes the order of reverts down.
type files struct{}

func (files) Prepare(context.Context, mishap.Request) ([]mishap.Injection, error) { return nil, nil }

// Inject obeys nobody while a file named like the fault plus ".hang" exists.
func (files) Inject(_ context.Context, in mishap.Injection) error {
	for exists(in.Target.ID + ".hang") {
		time.Sleep(5 * time.Millisecond)
	}
	return os.WriteFile(in.Target.ID, nil, 0o600)
}

func (files) Revert(_ context.Context, in mishap.Injection) (mishap.Reverted, error) {
	if _, err := os.Stat(in.Target.ID + ".stuck"); err == nil {
		return mishap.Reverted{}, errors.New("it is stuck")
	}
	log, err := os.OpenFile(filepath.Join(filepath.Dir(in.Target.ID), "order"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return mishap.Reverted{}, err
	}
	defer log.Close()
	fmt.Fprintln(log, filepath.Base(in.Target.ID))
	return mishap.Reverted{State: mishap.InjectionReverted}, os.RemoveAll(in.Target.ID)
}

func (files) Verify(context.Context, mishap.Injection) (mishap.Effect, error) {
	return mishap.Effect{}, nil
}

func restore(mishap.Injection) (mishap.Injector, error) { return files{}, nil }

// TestMain is also the keeper process, and a server that may be killed.
func TestMain(m *testing.M) {
	switch os.Getenv("KEEPER_TEST") {
	case "keeper":
		o := options(os.Stdin, os.Stdout, os.Getenv("KEEPER_DIR"))
		o.Lease, _ = time.ParseDuration(os.Getenv("KEEPER_LEASE"))
		if err := keeper.Serve(o); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	case "server":
		serverProcess()
	case "lock":
		lockProcess()
	}
	os.Exit(m.Run())
}

func options(in io.Reader, out io.Writer, dir string) keeper.ServeOptions {
	return keeper.ServeOptions{In: in, Out: out, Dir: dir, Run: "r", Restore: restore, RevertWithin: 2 * time.Second}
}

func injection(dir string, n int) mishap.Injection {
	return mishap.Injection{ID: fmt.Sprint("r.", n), Run: "r", Injector: "files", For: mishap.Duration(time.Hour),
		Target: mishap.Target{ID: filepath.Join(dir, fmt.Sprint("fault", n))}}
}

func start(t *testing.T, dir string) *keeper.Keeper {
	t.Helper()
	t.Setenv("KEEPER_TEST", "keeper")
	t.Setenv("KEEPER_DIR", dir)
	k, err := keeper.Start([]string{os.Args[0]})
	must(t, err)
	t.Cleanup(func() { _ = syscall.Kill(k.PID(), syscall.SIGKILL) })
	return k
}

func inject(t *testing.T, k *keeper.Keeper, dir string, n int) {
	t.Helper()
	in := injection(dir, n)
	must(t, k.Hold(t.Context(), in))
	must(t, errors.Join(k.Inject(t.Context(), []string{in.ID})...))
	if !exists(in.Target.ID) {
		t.Fatal("the keeper did not inject")
	}
}

func revert(t *testing.T, k *keeper.Keeper, id string) (mishap.Reverted, error) {
	t.Helper()
	reply := k.Revert(t.Context(), []string{id})[0]
	return reply.Value, reply.Err
}

// serverProcess injects two faults, says so, and waits to be killed.
func serverProcess() {
	dir := os.Getenv("KEEPER_DIR")
	_ = os.Setenv("KEEPER_TEST", "keeper")
	k, err := keeper.Start([]string{os.Args[0]})
	for n := 1; err == nil && n <= 2; n++ {
		in := injection(dir, n)
		err = errors.Join(k.Hold(context.Background(), in), errors.Join(k.Inject(context.Background(), []string{in.ID})...))
	}
	fmt.Println(k.PID(), err)
	select {}
}

// startServer starts a server process and returns it with its keeper's PID.
func startServer(t *testing.T, dir string) (*exec.Cmd, int) {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "KEEPER_TEST=server", "KEEPER_DIR="+dir)
	out, err := c.StdoutPipe()
	must(t, err)
	must(t, c.Start())
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	var pid int
	var problem string
	line, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	if _, err := fmt.Sscan(line, &pid, &problem); err != nil || problem != "<nil>" {
		t.Fatalf("server says %q", line)
	}
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	return c, pid
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits for something that another process does, ten times as long as an idle machine may need.
func eventually(t *testing.T, within time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * within); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("not within %s: %s", within, what)
}

func undo(t *testing.T, dir string) keeper.Undo {
	t.Helper()
	all, err := keeper.ReadUndo(dir)
	must(t, err)
	if len(all) != 1 {
		t.Fatalf("%d undo files", len(all))
	}
	return all[0]
}

func TestAKeeperRevertsWhenItsServerIsKilled(t *testing.T) {
	dir := t.TempDir()
	server, _ := startServer(t, dir)
	must(t, server.Process.Kill())
	eventually(t, 5*time.Second, "reverted", func() bool { return !exists(dir+"/fault1") && !exists(dir+"/fault2") })
	eventually(t, 5*time.Second, "keeper has ended", func() bool { return !undo(t, dir).Alive })
	if left := undo(t, dir).Outstanding(); len(left) != 0 {
		t.Errorf("the undo file says that %v are in", left)
	}
	order, err := os.ReadFile(filepath.Join(dir, "order"))
	must(t, err)
	if string(order) != "fault2\nfault1\n" {
		t.Errorf("not newest first: %q", order)
	}
	must(t, keeper.Remove(dir, "r"))
}

func TestAKilledServerAndKeeperLeaveUndoOnTheDisk(t *testing.T) {
	dir := t.TempDir()
	server, pid := startServer(t, dir)
	must(t, syscall.Kill(pid, syscall.SIGKILL))
	must(t, server.Process.Kill())
	eventually(t, 5*time.Second, "keeper is dead", func() bool { return !undo(t, dir).Alive })
	left := undo(t, dir).Outstanding()
	if len(left) != 2 || left[0].ID != "r.2" || left[0].State != mishap.InjectionInjected {
		t.Errorf("outstanding: %+v", left)
	}
}

func TestGoodbyeLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	k := start(t, dir)
	inject(t, k, dir, 1)
	r, err := revert(t, k, "r.1")
	must(t, err)
	if r.State != mishap.InjectionReverted {
		t.Errorf("reverted: %+v", r)
	}
	must(t, k.Close(t.Context()))
	if exists(dir + "/undo/r.jsonl") {
		t.Error("the undo file is still there")
	}
}

func TestGoodbyeWithSomethingInRevertsIt(t *testing.T) {
	dir := t.TempDir()
	k := start(t, dir)
	inject(t, k, dir, 1)
	must(t, k.Close(t.Context()))
	if exists(dir + "/fault1") {
		t.Error("the fault is still in")
	}
}

func TestOneStuckRevertHoldsUpNoOther(t *testing.T) {
	dir := t.TempDir()
	k := start(t, dir)
	inject(t, k, dir, 1)
	inject(t, k, dir, 2)
	must(t, os.WriteFile(dir+"/fault2.stuck", nil, 0o600))
	must(t, k.Close(t.Context()))
	if exists(dir + "/fault1") {
		t.Error("the other fault is still in")
	}
	left := undo(t, dir).Outstanding()
	if len(left) != 1 || left[0].State != mishap.InjectionStranded || left[0].Detail != "it is stuck" {
		t.Errorf("outstanding: %+v", left)
	}
}

// hanging injects one fault and begins to inject another, whose call hangs.
func hanging(t *testing.T, k *keeper.Keeper, dir string) (ended chan error) {
	t.Helper()
	inject(t, k, dir, 1)
	in := injection(dir, 2)
	must(t, os.WriteFile(in.Target.ID+".hang", nil, 0o600))
	must(t, k.Hold(t.Context(), in))
	ended = make(chan error, 1)
	go func() { ended <- errors.Join(k.Inject(context.Background(), []string{in.ID})...) }()
	eventually(t, time.Minute, "the second call is under way", func() bool { return len(undo(t, dir).Outstanding()) == 2 })
	return ended
}

func TestACallThatInjectsOneHoldsUpNoRevertOfAnother(t *testing.T) {
	dir := t.TempDir()
	k := start(t, dir)
	ended := hanging(t, k, dir)
	_, err := revert(t, k, "r.1")
	must(t, err)
	if exists(dir + "/fault1") {
		t.Error("the first fault is still in")
	}
	must(t, os.Remove(dir+"/fault2.hang"))
	<-ended
	_, err = revert(t, k, "r.2")
	must(t, errors.Join(err, k.Close(t.Context())))
	if exists(dir + "/fault2") {
		t.Error("the second fault is still in")
	}
}

func TestACallThatInjectsHidesNoDeathOfTheServer(t *testing.T) {
	dir := t.TempDir()
	k := start(t, dir)
	ended := hanging(t, k, dir)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	_ = k.Close(over) // the end of the pipe is the server's death
	eventually(t, 20*time.Second, "the first fault is out while the other call hangs", func() bool { return !exists(dir + "/fault1") })
	must(t, os.Remove(dir+"/fault2.hang")) // it injects after all, and is reverted after that
	<-ended
	eventually(t, time.Minute, "the keeper has ended", func() bool { return !undo(t, dir).Alive })
	if exists(dir + "/fault2") {
		t.Error("the second fault is still in")
	}
}

func TestAFaultPastItsTimeIsRevertedAlthoughTheServerLives(t *testing.T) {
	dir := t.TempDir()
	in, server := io.Pipe()
	o := options(in, io.Discard, dir)
	o.Silence = 500 * time.Millisecond
	done := make(chan error)
	go func() {
		err := keeper.Serve(o)
		_ = in.Close()
		done <- err
	}()
	short := injection(dir, 1)
	short.For = mishap.Duration(time.Millisecond)
	line := json.NewEncoder(server)
	must(t, line.Encode(map[string]any{"n": 1, "op": "hold", "injection": short}))
	must(t, line.Encode(map[string]any{"n": 2, "op": "inject", "ids": []string{short.ID}}))
	eventually(t, time.Minute, "reverted", func() bool {
		_ = line.Encode(map[string]any{"op": "beat"})
		return exists(dir+"/order") && !exists(short.Target.ID)
	})
	must(t, server.Close())
	must(t, <-done)
}

func TestASilentServerIsTakenForLost(t *testing.T) {
	dir := t.TempDir()
	in, server := io.Pipe()
	defer server.Close()
	o := options(in, io.Discard, dir)
	o.Silence = 200 * time.Millisecond
	done := make(chan error)
	go func() { done <- keeper.Serve(o) }()
	for _, r := range []any{
		map[string]any{"n": 1, "op": "hold", "injection": injection(dir, 1)}, map[string]any{"n": 2, "op": "inject", "ids": []string{"r.1"}},
	} {
		must(t, json.NewEncoder(server).Encode(r))
	}
	eventually(t, 5*time.Second, "injected", func() bool { return exists(dir+"/fault1") || exists(dir+"/order") })
	must(t, <-done)
	if exists(dir + "/fault1") {
		t.Error("the fault is still in")
	}
}

func TestASilentKeeperIsKilled(t *testing.T) {
	t.Setenv("KEEPER_TEST", "")
	k := start(t, t.TempDir())
	must(t, syscall.Kill(k.PID(), syscall.SIGSTOP))
	<-k.Lost()
	if err := k.Inject(t.Context(), []string{"r.1"})[0]; !errors.Is(err, keeper.ErrLost) {
		t.Errorf("inject through a lost keeper: %v", err)
	}
}

func TestALineThatACrashCutOffIsIgnored(t *testing.T) {
	dir := t.TempDir()
	k := start(t, dir)
	inject(t, k, dir, 1)
	must(t, syscall.Kill(k.PID(), syscall.SIGKILL))
	<-k.Lost()
	path := dir + "/undo/r.jsonl"
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteString(`{"id":"r.1","to":"rever`)
	must(t, errors.Join(err, f.Close()))
	if left := undo(t, dir).Outstanding(); len(left) != 1 {
		t.Errorf("outstanding: %+v", left)
	}
	text, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, []byte(strings.Replace(string(text), `"hold"`, `"ho`, 1)), 0o600))
	all, err := keeper.ReadUndo(dir)
	must(t, err)
	if len(all) != 1 || all[0].Damage == nil || !strings.Contains(all[0].Damage.Error(), "line 1 is damaged") {
		t.Errorf("a file damaged in its middle: %+v", all)
	}
}

func TestWhatWasNotHeldIsNotInjected(t *testing.T) {
	k := start(t, t.TempDir())
	if err := k.Inject(t.Context(), []string{"r.9"})[0]; err == nil || !strings.Contains(err.Error(), "not handed over") {
		t.Errorf("inject: %v", err)
	}
	must(t, k.Close(t.Context()))
}

func TestTwoLedgersOfOneMachineNeverChangeOneThing(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the lock needs Linux")
	}
	key := fmt.Sprint("test/", os.Getpid(), "/", time.Now().UnixNano())
	one, two := t.TempDir(), t.TempDir()
	first, second := start(t, one), start(t, two)
	in, other := injection(one, 1), injection(two, 1)
	in.Keys = []mishap.Key{{Thing: key, Attribute: "a"}}
	other.Keys = []mishap.Key{{Thing: key + "/not this", Attribute: "a"}, {Thing: key, Attribute: "b"}}
	must(t, first.Hold(t.Context(), in))
	if err := second.Hold(t.Context(), other); !errors.Is(err, mishap.ErrTaken) || !strings.Contains(err.Error(), "another mishap on this machine") {
		t.Errorf("hold what another keeper holds: %v", err)
	}
	must(t, errors.Join(first.Inject(t.Context(), []string{in.ID})...))
	_, err := revert(t, first, in.ID)
	must(t, err)
	if err := second.Hold(t.Context(), other); !errors.Is(err, mishap.ErrTaken) {
		t.Errorf("hold what another run still looks at: %v", err)
	}
	must(t, first.Close(t.Context()))
	must(t, second.Hold(t.Context(), other))
	must(t, syscall.Kill(second.PID(), syscall.SIGKILL))
	<-second.Lost()
	third := start(t, t.TempDir())
	must(t, third.Hold(t.Context(), other)) // the kernel has freed what the dead one held
	must(t, third.Close(t.Context()))
}

// TestAThawedKeeperLeavesWhatIsElsewhereToWhoOwnsTheRun freezes one for longer than
// its lease: another server's run may have injected there meanwhile.
func TestAThawedKeeperLeavesWhatIsElsewhereToWhoOwnsTheRun(t *testing.T) {
	dir := t.TempDir()
	const lease = 3 * time.Second
	t.Setenv("KEEPER_LEASE", lease.String())
	k := start(t, dir)
	inject(t, k, dir, 1)
	away := injection(dir, 2)
	away.Target.Where.Host = "elsewhere"
	must(t, k.Hold(t.Context(), away))
	must(t, errors.Join(k.Inject(t.Context(), []string{away.ID})...))
	must(t, syscall.Kill(k.PID(), syscall.SIGSTOP))
	time.Sleep(lease + 200*time.Millisecond) // the freeze is what is tested
	must(t, syscall.Kill(k.PID(), syscall.SIGCONT))
	must(t, k.Close(t.Context()))
	if exists(injection(dir, 1).Target.ID) {
		t.Error("what is in this machine itself was not reverted")
	}
	if !exists(away.Target.ID) {
		t.Error("what another run may have injected meanwhile was reverted")
	}
	if left := undo(t, dir).Outstanding(); len(left) != 1 || left[0].ID != away.ID {
		t.Errorf("the undo file says %+v", left)
	}
}
