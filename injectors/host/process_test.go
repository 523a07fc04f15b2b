//go:build linux

package host_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mishap"
	"mishap/injectors/host"
	"mishap/internal/injectortest"
)

func platformWorlds() map[string]injectortest.World {
	return map[string]injectortest.World{"process-stop": processWorld("process-stop"), "process-kill": processWorld("process-kill")}
}

// processWorld is two processes that are meant, and one that is not.
func processWorld(name string) injectortest.World {
	w := world(host.Deps{}, name)
	var children []*exec.Cmd
	var command string
	with := any(nil)
	if name == "process-kill" {
		with = map[string]string{"signal": "TERM"}
	}
	w.Fault = func(t *testing.T) mishap.Fault {
		mark := strconv.FormatInt(time.Now().UnixNano(), 10) // no other command line holds it
		children = []*exec.Cmd{spawn(t, "sleep", "1000", "0."+mark), spawn(t, "sleep", "2000", "0."+mark), spawn(t, "sleep", "3000")}
		for _, c := range children {
			eventually(t, "it runs", func() bool { return look(t, c.Process.Pid) == "running" }) // what watches the test may hold it until now
		}
		command = `^sleep \d+ 0\.` + mark + "$"
		return fault(name, map[string]any{"command": command}, with)
	}
	w.More = func(t *testing.T) map[string]mishap.Fault {
		file := filepath.Join(t.TempDir(), "pid")
		if err := os.WriteFile(file, []byte(strconv.Itoa(children[0].Process.Pid)), 0o600); err != nil {
			t.Fatal(err)
		}
		targets := map[string]map[string]any{
			"pid": {"pid": children[0].Process.Pid, "user": strconv.Itoa(os.Getuid())}, "pid file": {"pidFile": file, "name": "sleep"},
			"pick": {"command": command, "pick": 1, "seed": 1}, "share": {"command": command, "share": "50%"},
		}
		me, err := exec.Command("id", "-un").Output() // package user would remember it, and not look it up
		if err != nil {
			t.Fatal(err)
		}
		targets["user"] = map[string]any{"command": command, "user": strings.TrimSpace(string(me))}
		more := map[string]mishap.Fault{}
		for what, targets := range targets {
			more[what] = fault(name, targets, with)
		}
		return more
	}
	w.Granted = func() mishap.Uses { // how processes are told apart, and whom the name of a user means, which glibc asks nscd as well
		return mishap.Uses{
			Files: []string{"/proc", "/proc/*/stat", "/proc/*/cmdline", "/proc/sys/kernel/random/boot_id", "/etc/machine-id", "/etc/passwd"},
			Hosts: []string{"unix:/var/run/nscd/socket"},
		}
	}
	w.Empty = fault(name, map[string]any{"command": "^no process has this command line$"}, nil)
	w.Snapshot = func(t *testing.T) string {
		var text []string
		for _, c := range children {
			text = append(text, c.Args[1]+" is "+look(t, c.Process.Pid))
		}
		return strings.Join(text, ", ")
	}
	w.Remove = func(*testing.T) {
		for _, c := range children[:2] {
			end(c)
		}
	}
	return w
}

// spawn starts a process that ends with the test at the latest.
func spawn(t *testing.T, argv ...string) *exec.Cmd {
	t.Helper()
	c := exec.Command(argv[0], argv[1:]...)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end(c) })
	return c
}

func end(c *exec.Cmd) {
	_ = c.Process.Kill()
	_ = c.Wait()
}

// look is running, stopped or ended.
func look(t *testing.T, pid int) string {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "ended"
	}
	_, after, _ := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')'):]), " ")
	switch after[0] {
	case 'T', 't':
		return "stopped"
	case 'Z', 'X':
		return "ended"
	}
	return "running"
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never came about that %s", what)
		}
	}
}

// stopOf prepares process-stop of one process.
func stopOf(t *testing.T, pid int) (mishap.Injector, mishap.Injection) {
	t.Helper()
	injector, found, err := prepared(t, host.Deps{}, fault("process-stop", map[string]any{"pid": pid}, nil))
	if err != nil || len(found) != 1 {
		t.Fatalf("prepare found %d, %v", len(found), err)
	}
	return injector, found[0]
}

// edited is the injection with some of its undo changed.
func edited(t *testing.T, in mishap.Injection, change func(undo map[string]any)) mishap.Injection {
	t.Helper()
	undo := map[string]any{}
	decoder := json.NewDecoder(strings.NewReader(string(in.Undo)))
	decoder.UseNumber()
	if err := decoder.Decode(&undo); err != nil {
		t.Fatal(err)
	}
	change(undo)
	in.Undo = raw(undo)
	return in
}

func TestAProcessThatIsStoppedAlreadyIsRefused(t *testing.T) {
	c := spawn(t, "sleep", "1000")
	if err := c.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the process stops", func() bool { return look(t, c.Process.Pid) == "stopped" })
	_, found, err := prepared(t, host.Deps{}, fault("process-stop", map[string]any{"pid": c.Process.Pid}, nil))
	if err == nil || found != nil || errors.Is(err, mishap.ErrNoTarget) {
		t.Errorf("prepare found %d injections and the error %v, want a refusal", len(found), err)
	}
}

func TestAnotherProcessWithTheSamePIDIsNeverTouched(t *testing.T) {
	c := spawn(t, "sleep", "1000")
	injector, in := stopOf(t, c.Process.Pid)
	for name, reused := range map[string]mishap.Injection{
		"another start": edited(t, in, func(undo map[string]any) { undo["start"] = 1 }),
		"another boot":  edited(t, in, func(undo map[string]any) { undo["boot"] = "00000000-0000-0000-0000-000000000000" }),
	} {
		if err := injector.Inject(t.Context(), reused); !errors.Is(err, mishap.ErrNoTarget) {
			t.Errorf("%s: inject answered %v, want ErrNoTarget", name, err)
		}
		if got := look(t, c.Process.Pid); got != "running" {
			t.Errorf("%s: after inject the process is %s", name, got)
		}
	}
	if err := injector.Inject(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	reused := edited(t, in, func(undo map[string]any) { undo["start"] = 1 })
	got, err := injector.Revert(t.Context(), reused)
	if err != nil || got.State != mishap.InjectionGone {
		t.Errorf("revert answered %+v, %v, want gone", got, err)
	}
	if got := look(t, c.Process.Pid); got != "stopped" {
		t.Errorf("the revert of another process left this one %s", got)
	}
}

func TestAKillOfAnotherProcessWithTheSamePIDKillsNothing(t *testing.T) {
	c := spawn(t, "sleep", "1000")
	injector, found, err := prepared(t, host.Deps{}, fault("process-kill", map[string]any{"pid": c.Process.Pid}, nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := injector.Inject(t.Context(), edited(t, found[0], func(undo map[string]any) { undo["start"] = 1 })); err != nil {
		t.Error(err)
	}
	if got := look(t, c.Process.Pid); got != "running" {
		t.Errorf("the process is %s", got)
	}
}

// What cannot be seen from here must not pass for gone.
func TestRevertElsewhereIsAnErrorNotGone(t *testing.T) {
	c := spawn(t, "sleep", "1000")
	injector, in := stopOf(t, c.Process.Pid)
	for name, elsewhere := range map[string]mishap.Injection{
		"machine": edited(t, in, func(undo map[string]any) {
			undo["boot"], undo["machine"] = "00000000-0000-0000-0000-000000000000", "elsewhere"
		}),
		"namespace": edited(t, in, func(undo map[string]any) { undo["namespace"] = "pid:[1]" }),
	} {
		if _, err := os.Stat("/etc/machine-id"); err != nil && name == "machine" {
			continue // machines that have no id are not told apart
		}
		if got, err := injector.Revert(t.Context(), elsewhere); err == nil {
			t.Errorf("revert from another %s answered %+v", name, got)
		}
		if got, err := injector.Verify(t.Context(), elsewhere); err == nil {
			t.Errorf("verify from another %s answered %+v", name, got)
		}
	}
}

func TestInjectOfAProcessThatHasEndedIsNoTarget(t *testing.T) {
	c := spawn(t, "sleep", "1000")
	injector, in := stopOf(t, c.Process.Pid)
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the process ends", func() bool { return look(t, c.Process.Pid) == "ended" })
	for _, is := range []string{"a zombie", "away"} {
		if err := injector.Inject(t.Context(), in); !errors.Is(err, mishap.ErrNoTarget) {
			t.Errorf("while it is %s, inject answered %v, want ErrNoTarget", is, err)
		}
		if got, err := injector.Revert(t.Context(), in); err != nil || got.State != mishap.InjectionGone {
			t.Errorf("while it is %s, revert answered %+v, %v, want gone", is, got, err)
		}
		end(c)
	}
}

func TestRevertOfAProcessThatSomebodyContinuedIsReverted(t *testing.T) {
	c := spawn(t, "sleep", "1000")
	injector, in := stopOf(t, c.Process.Pid)
	if err := injector.Inject(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if err := c.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	got, err := injector.Revert(t.Context(), in)
	if err != nil || got.State != mishap.InjectionReverted {
		t.Errorf("revert answered %+v, %v", got, err)
	}
}

func TestTargetsSelectProcesses(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	// A name that tries to look like the rest of its line in /proc.
	odd := filepath.Join(t.TempDir(), "a) R (b")
	copyFile(t, "/bin/sh", odd)
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(in.Close(), out.Close()) })
	waiting := exec.Command(odd, "-c", "read line")
	waiting.Stdin = in
	if err := waiting.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end(waiting) })
	pid := waiting.Process.Pid
	pidFile := filepath.Join(t.TempDir(), "pid")
	if err := os.WriteFile(pidFile, fmt.Appendf(nil, "%d\n", pid), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		targets map[string]any
		found   bool
	}{
		{"name", map[string]any{"name": "a) R (b"}, true},
		{"command", map[string]any{"command": `a\) R \(b -c read line$`}, true},
		{"pid", map[string]any{"pid": pid}, true},
		{"pid file", map[string]any{"pidFile": pidFile}, true},
		{"user's name", map[string]any{"pid": pid, "user": me.Username}, true},
		{"user's number", map[string]any{"pid": pid, "user": me.Uid}, true},
		{"part of a name", map[string]any{"name": "a) R"}, false},
		{"another user", map[string]any{"pid": pid, "user": "4242424"}, false},
		{"unknown user", map[string]any{"pid": pid, "user": "no such user"}, false},
		{"pid and another name", map[string]any{"pid": pid, "name": "b"}, false},
		{"pid file and another pid", map[string]any{"pid": os.Getpid(), "pidFile": pidFile}, false},
		{"missing pid file", map[string]any{"pidFile": pidFile + "x"}, false},
		{"the kernel's threads", map[string]any{"name": "kthreadd"}, false},
		{"this process", map[string]any{"pid": os.Getpid()}, false},
		{"what started this process", map[string]any{"pid": os.Getppid()}, false},
		{"init", map[string]any{"pid": 1}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, found, err := prepared(t, host.Deps{}, fault("process-stop", test.targets, nil))
			switch {
			case test.found && (err != nil || len(found) != 1 || found[0].Target.Name != "a) R (b"):
				t.Errorf("found %+v, %v", found, err)
			case !test.found && !errors.Is(err, mishap.ErrNoTarget):
				t.Errorf("found %+v, %v, want ErrNoTarget", found, err)
			}
		})
	}
}

func TestALongNameIsFoundByItsFile(t *testing.T) {
	const name = "a-name-that-is-longer-than-comm"
	file := filepath.Join(t.TempDir(), name)
	copyFile(t, "/bin/sh", file)
	c := exec.Command(file, "-c", "read line")
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stdin.Close() })
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end(c) })
	_, found, err := prepared(t, host.Deps{}, fault("process-stop", map[string]any{"name": name}, nil))
	if err != nil || len(found) != 1 {
		t.Errorf("found %+v, %v", found, err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o700)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestPickIsTheSameInPlanAndRunAndSaysHow(t *testing.T) {
	mark := strconv.FormatInt(time.Now().UnixNano(), 10)
	for range 4 {
		spawn(t, "sleep", "1000", "0."+mark)
	}
	pick := func(more map[string]any) []mishap.Injection {
		targets := map[string]any{"command": mark}
		for k, v := range more {
			targets[k] = v
		}
		_, found, err := prepared(t, host.Deps{}, fault("process-stop", targets, nil))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	for _, test := range []struct {
		more map[string]any
		want int
		note string
	}{
		{map[string]any{}, 4, ""},
		{map[string]any{"pick": 9}, 4, "4 of the 9 asked for: no more fit"},
		{map[string]any{"pick": 1, "seed": 42}, 1, "picked 1 of 4 with seed 42"},
		{map[string]any{"pick": 3}, 3, "picked 3 of 4 with seed "},
		{map[string]any{"share": "50%"}, 2, "picked 2 of 4 with seed "},
		{map[string]any{"share": "1%"}, 1, "picked 1 of 4 with seed "},
	} {
		first, second := pick(test.more), pick(test.more)
		if len(first) != test.want || len(second) != test.want {
			t.Errorf("%v took %d and %d, want %d", test.more, len(first), len(second), test.want)
			continue
		}
		for i := range first {
			if first[i].Target.ID != second[i].Target.ID {
				t.Errorf("%v took %s and then %s", test.more, first[i].Target.ID, second[i].Target.ID)
			}
			if note := strings.Join(first[i].Notes, ""); !strings.HasPrefix(note, test.note) || note != "" && test.note == "" {
				t.Errorf("%v says %q, want %q", test.more, note, test.note)
			}
			if first[i].Matched != 4 {
				t.Errorf("%v matched %d, want 4", test.more, first[i].Matched)
			}
		}
	}
}

func TestKillSendsTheSignalItWasTold(t *testing.T) {
	c := exec.Command("sh", "-c", `trap "exit 7" TERM; echo ready; while :; do sleep 0.01; done`)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end(c) })
	if _, err := io.ReadFull(out, make([]byte, len("ready\n"))); err != nil {
		t.Fatal(err)
	}
	injector, found, err := prepared(t, host.Deps{}, fault("process-kill", map[string]any{"pid": c.Process.Pid}, `{"signal": "TERM"}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := injector.Inject(t.Context(), found[0]); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait()
	if code := c.ProcessState.ExitCode(); code != 7 {
		t.Errorf("the process ended with %s, want its own exit code 7", c.ProcessState)
	}
}
