package keeper_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mishap/internal/keeper"
)

// lockProcess takes a lock, says what came of it, and holds it until its input
// ends. With KEEPER_SQUAT it takes the file itself, as what is no mishap would.
func lockProcess() {
	if path := os.Getenv("KEEPER_SQUAT"); path != "" {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err == nil {
			err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		}
		fmt.Println("squat:", err)
	} else {
		_, err := keeper.LockHost(keeper.Claim{Thing: os.Getenv("KEEPER_THING"), Run: "other", PID: os.Getpid(), State: "/its/state"})
		fmt.Printf("lock: %v\n", err)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// locker is a process that asked for a lock, and what it said.
type locker struct {
	*exec.Cmd
	in   io.Closer
	said string
}

func (l *locker) end() { _, _ = l.in.Close(), l.Wait() }

// lockAs lets another process take the lock of a thing.
func lockAs(t *testing.T, attr *syscall.SysProcAttr, env ...string) *locker {
	t.Helper()
	program, err := filepath.Abs(os.Args[0])
	must(t, err)
	if attr != nil && attr.Credential != nil { // another user may not be let into the folder of the test's binary
		program = filepath.Join("/tmp", fmt.Sprintf("keeper-test-%d", os.Getpid()))
		if !exists(program) {
			text, err := os.ReadFile("/proc/self/exe")
			must(t, err)
			must(t, os.WriteFile(program, text, 0o755))
			t.Cleanup(func() { _ = os.Remove(program) })
		}
	}
	l := &locker{Cmd: exec.Command(program)}
	l.Dir, l.SysProcAttr, l.Stderr = "/", attr, os.Stderr
	l.Env = append(append(os.Environ(), "KEEPER_TEST=lock"), env...)
	in, err := l.StdinPipe()
	must(t, err)
	l.in = in
	out, err := l.StdoutPipe()
	must(t, err)
	if err := l.Start(); err != nil {
		t.Skipf("NOT TESTED: a process like that may not be started here: %v", err)
	}
	t.Cleanup(func() { _ = l.Process.Kill(); _ = l.Wait() })
	l.said, err = bufio.NewReader(out).ReadString('\n')
	must(t, err)
	return l
}

func thing() string { return fmt.Sprint("test/", os.Getpid(), "/", time.Now().UnixNano()) }

// TestTheLockOfThisMachineHoldsAcrossNetworkNamespaces takes it in another one,
// as another container would.
func TestTheLockOfThisMachineHoldsAcrossNetworkNamespaces(t *testing.T) {
	one := thing()
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if os.Geteuid() != 0 {
		t.Skip("NOT TESTED: making a network namespace needs root")
	}
	mine, err := keeper.LockHost(keeper.Claim{Thing: one, Run: "mine", PID: os.Getpid()})
	must(t, err)
	if l := lockAs(t, attr, "KEEPER_THING="+one); !strings.Contains(l.said, "another mishap on this machine") || !strings.Contains(l.said, "run mine") {
		t.Errorf("another network namespace: %s", l.said)
	}
	must(t, mine.Close())
	if l := lockAs(t, attr, "KEEPER_THING="+one); l.said != "lock: <nil>\n" {
		t.Errorf("once it is free: %s", l.said)
	}
}

// TestTheLockOfThisMachineHoldsAcrossUsers is about a process of nobody, which
// root may change as well.
func TestTheLockOfThisMachineHoldsAcrossUsers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("NOT TESTED: being another user needs root")
	}
	nobody := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	sleeper := exec.Command("sleep", "3600")
	sleeper.SysProcAttr = nobody
	must(t, sleeper.Start())
	t.Cleanup(func() { _ = sleeper.Process.Kill(); _ = sleeper.Wait() })
	one := fmt.Sprintf("process/boot/%d/7", sleeper.Process.Pid)

	theirs := lockAs(t, nobody, "KEEPER_THING="+one)
	if theirs.said != "lock: <nil>\n" {
		t.Fatal(theirs.said)
	}
	if _, err := keeper.LockHost(keeper.Claim{Thing: one, Run: "mine", PID: os.Getpid()}); err == nil || !strings.Contains(err.Error(), "another mishap on this machine") || !strings.Contains(err.Error(), "/its/state") {
		t.Errorf("root, while its owner has it: %v", err)
	}
	must(t, theirs.Process.Kill())
	_ = theirs.Wait()
	mine, err := keeper.LockHost(keeper.Claim{Thing: one, Run: "mine", PID: os.Getpid()}) // the kernel has freed it
	must(t, err)
	if l := lockAs(t, nobody, "KEEPER_THING="+one); !strings.Contains(l.said, "run mine") {
		t.Errorf("its owner, while root has it: %s", l.said)
	}
	must(t, mine.Close())
	// What root does not own nobody can keep from root.
	command := fmt.Sprint("exec/", os.Getpid()) // locks are the machine's, and so other tests'
	squat := lockAs(t, nobody, "KEEPER_THING="+command)
	lock, err := keeper.LockHost(keeper.Claim{Thing: command, Run: "mine", PID: os.Getpid()})
	if err != nil {
		t.Errorf("another user squats root's own lock: %v (%s)", err, squat.said)
	} else {
		must(t, lock.Close())
	}
}

// TestALockThatNoMishapHasIsToldApart squats one in several ways.
func TestALockThatNoMishapHasIsToldApart(t *testing.T) {
	one := thing()
	claim := keeper.Claim{Thing: one, Run: "mine", PID: os.Getpid()}
	path := keeper.LockPath(one)
	free := func() {
		lock, err := keeper.LockHost(claim)
		must(t, err)
		must(t, lock.Close())
		if exists(path) {
			t.Error("the lock leaves a file behind")
		}
	}
	free()
	squat := lockAs(t, nil, "KEEPER_SQUAT="+path)
	_, err := keeper.LockHost(claim)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("process %d (", squat.Process.Pid)) || !strings.Contains(err.Error(), "no mishap that changes it; end that process") {
		t.Errorf("a process that is no mishap: %v", err)
	}
	squat.end()
	free()
	must(t, os.Symlink("/etc/passwd", path))
	if _, err := keeper.LockHost(claim); err == nil || !strings.Contains(err.Error(), "is no lock file of mishap; remove it") {
		t.Errorf("a link: %v", err)
	}
	must(t, os.Remove(path))
	must(t, os.WriteFile(path, fmt.Appendf(nil, `{"thing":%q,"run":"dead","pid":1}`, one), 0o600))
	free() // what is dead has no lock
}
