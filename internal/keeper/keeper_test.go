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
	"testing/synctest"
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
		o.Silence, _ = time.ParseDuration(os.Getenv("KEEPER_SILENCE"))
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

// eventually waits for something that another process does. Nothing is asserted about how long that takes: a machine that
// is busy takes its time.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	const patience = 5 * time.Minute
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("still not so after %s: %s", patience, what)
		}
	}
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
	eventually(t, "reverted", func() bool { return !exists(dir+"/fault1") && !exists(dir+"/fault2") })
	eventually(t, "keeper has ended", func() bool { return !undo(t, dir).Alive })
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
	eventually(t, "keeper is dead", func() bool { return !undo(t, dir).Alive })
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
	eventually(t, "the second call is under way", func() bool { return len(undo(t, dir).Outstanding()) == 2 })
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
	eventually(t, "the first fault is out while the other call hangs", func() bool { return !exists(dir + "/fault1") })
	must(t, os.Remove(dir+"/fault2.hang")) // it injects after all, and is reverted after that
	<-ended
	eventually(t, "the keeper has ended", func() bool { return !undo(t, dir).Alive })
	if exists(dir + "/fault2") {
		t.Error("the second fault is still in")
	}
}

// inProcess is a keeper on fake time whose server is the test, with one fault that it was asked to inject.
func inProcess(t *testing.T, dir string, silence, lasts time.Duration) (server *json.Encoder, ended <-chan error) {
	t.Helper()
	in, pipe := io.Pipe()
	o := options(in, io.Discard, dir)
	o.Silence = silence
	done := make(chan error, 1)
	go func() {
		err := keeper.Serve(o)
		_ = in.Close()
		done <- err
	}()
	one := injection(dir, 1)
	one.For = mishap.Duration(lasts)
	server = json.NewEncoder(pipe)
	must(t, server.Encode(map[string]any{"n": 1, "op": "hold", "injection": one}))
	must(t, server.Encode(map[string]any{"n": 2, "op": "inject", "ids": []string{one.ID}}))
	synctest.Wait()
	if !exists(one.Target.ID) {
		t.Fatal("the keeper did not inject")
	}
	return server, done
}

func TestAFaultPastItsTimeIsRevertedAlthoughTheServerLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		const silence, lasts = 5 * time.Second, time.Minute
		began := time.Now()
		server, ended := inProcess(t, dir, silence, lasts)
		for exists(dir + "/fault1") {
			must(t, server.Encode(map[string]any{"op": "beat"}))
			time.Sleep(time.Second)
			synctest.Wait()
		}
		// A silence later than its time, so that a server that lives is the first.
		if took := time.Since(began); took < lasts+silence || took > lasts+silence+2*time.Second {
			t.Errorf("a fault of %s was in force for %s", lasts, took)
		}
		must(t, server.Encode(map[string]any{"n": 3, "op": "bye"}))
		must(t, <-ended)
	})
}

func TestASilentServerIsTakenForLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		const silence = 5 * time.Second
		began := time.Now()
		_, ended := inProcess(t, dir, silence, time.Hour)
		must(t, <-ended)
		if took := time.Since(began); took < silence || took > silence+time.Second {
			t.Errorf("it was taken for lost after %s", took)
		}
		if exists(dir + "/fault1") {
			t.Error("the fault is still in")
		}
	})
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

// keeperProcess is a keeper whose server is the test: nobody kills it while it is frozen.
type keeperProcess struct {
	*exec.Cmd
	t       *testing.T
	to      *json.Encoder
	answers *json.Decoder
	asked   int
}

func startProcess(t *testing.T, dir string, lease time.Duration) *keeperProcess {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "KEEPER_TEST=keeper", "KEEPER_DIR="+dir, "KEEPER_LEASE="+lease.String(), "KEEPER_SILENCE=1h")
	to, err := c.StdinPipe()
	must(t, err)
	from, err := c.StdoutPipe()
	must(t, err)
	must(t, c.Start())
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	return &keeperProcess{c, t, json.NewEncoder(to), json.NewDecoder(from), 0}
}

// ask sends a request and gives what its answer says is wrong, of all or of one.
func (k *keeperProcess) ask(request map[string]any) (problem string) {
	k.t.Helper()
	k.asked++
	request["n"] = k.asked
	must(k.t, k.to.Encode(request))
	for {
		var a struct {
			N       int
			Error   string
			Replies []struct{ Error string }
		}
		must(k.t, k.answers.Decode(&a))
		if a.N != k.asked { // a beat
			continue
		}
		for _, r := range a.Replies {
			a.Error += r.Error
		}
		return a.Error
	}
}

// TestAThawedKeeperLeavesWhatIsElsewhereToWhoOwnsTheRun freezes one for longer than
// its lease: another server's run may have injected there meanwhile.
func TestAThawedKeeperLeavesWhatIsElsewhereToWhoOwnsTheRun(t *testing.T) {
	for lease := 2 * time.Second; !thawed(t, lease); lease *= 2 {
		t.Logf("this machine stood still for %s before the freeze that is tested", lease)
	}
}

// thawed reports whether the keeper lived until it was frozen.
func thawed(t *testing.T, lease time.Duration) bool {
	t.Helper()
	dir := t.TempDir()
	k := startProcess(t, dir, lease)
	here, away := injection(dir, 1), injection(dir, 2)
	away.Target.Where.Host = "elsewhere"
	for _, in := range []mishap.Injection{here, away} {
		if problem := k.ask(map[string]any{"op": "hold", "injection": in}); problem != "" {
			t.Fatal(problem)
		}
		switch problem := k.ask(map[string]any{"op": "inject", "ids": []string{in.ID}}); {
		case strings.Contains(problem, "stood still for a whole lease"):
			return false
		case problem != "":
			t.Fatal(problem)
		}
	}
	must(t, k.Process.Signal(syscall.SIGSTOP))
	time.Sleep(lease + 200*time.Millisecond) // the freeze is what is tested
	must(t, k.Process.Signal(syscall.SIGCONT))
	if problem := k.ask(map[string]any{"op": "bye"}); problem != "" {
		t.Error(problem)
	}
	must(t, k.Wait())
	if exists(here.Target.ID) {
		t.Error("what is in this machine itself was not reverted")
	}
	if !exists(away.Target.ID) {
		t.Error("what another run may have injected meanwhile was reverted")
	}
	if left := undo(t, dir).Outstanding(); len(left) != 1 || left[0].ID != away.ID {
		t.Errorf("the undo file says %+v", left)
	}
	return true
}
