package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// left starts the run, waits until its fault is in, and kills mishap and keeper,
// so that nobody has reverted it. It answers the run's undo file.
func (s *stage) left() string {
	s.t.Helper()
	c := s.holding(s.mishap("run", "flag.yaml"))
	files := filepath.Join(s.dir, "state", "undo", "*.jsonl")
	s.killAll(c)
	all, _ := filepath.Glob(files)
	if len(all) != 1 || !s.is("flag") {
		s.t.Fatalf("undo files: %v; the flag is there: %v", all, s.is("flag"))
	}
	return all[0]
}

// killAll kills runs and the keepers of this stage; none of them sees another die.
func (s *stage) killAll(runs ...*started) {
	s.t.Helper()
	all := s.keepers()
	for _, c := range runs {
		all = append(all, c.Process.Pid)
	}
	killTogether(s.t, all...)
	for _, c := range runs {
		_ = c.Wait()
	}
	s.gone(all)
	await(s.t, "the keeper has ended", func() bool { return len(s.keepers()) == 0 })
}

// gone waits until killed processes have let their files go, which is later than
// that they have no command line any more.
func (s *stage) gone(pids []int) {
	s.t.Helper()
	await(s.t, "who was killed has ended", func() bool { return !slices.ContainsFunc(pids, func(pid int) bool { return !ended(pid) }) })
}

// state is a path in the state directory.
func (s *stage) state(names ...string) string {
	return filepath.Join(append([]string{s.dir, "state"}, names...)...)
}

// strangers are undo files that cannot be read, by what is wrong with them.
func strangers(whole string) map[string]func(path string) error {
	write := func(text string) func(string) error {
		return func(path string) error { return os.WriteFile(path, []byte(text), 0o600) }
	}
	return map[string]func(string) error{
		"truncated": write(whole[:len(whole)/3]),
		"garbage":   write("what is this?\nand this?\n"),
		"binary":    write("\x7fELF\x02\x01\x01\x00\xff\xfe\n\x00\x80"),
		"empty":     write(""),
		"version":   write(`{"version":99,"hold":{}}` + "\n"),
		"folder":    func(path string) error { return os.Mkdir(path, 0o700) },
		"pipe":      func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"link":      func(path string) error { return os.Symlink("/dev/zero", path) },
	}
}

// TestOneDamagedUndoFileKeepsNothingElseFromBeingReverted also wants that it is
// never forgotten, and that nothing starts until a person has settled it.
func TestOneDamagedUndoFileKeepsNothingElseFromBeingReverted(t *testing.T) {
	for _, verb := range []string{"revert", "run"} {
		t.Run(verb, func(t *testing.T) {
			s := newStage(t)
			whole, err := os.ReadFile(s.left())
			if err != nil {
				t.Fatal(err)
			}
			all := strangers(string(whole))
			for name, damage := range all {
				if err := damage(s.state("undo", "x"+name+".jsonl")); err != nil {
					t.Fatal(err)
				}
			}
			args := []string{"revert", "--all"}
			if verb == "run" {
				args = []string{"run", "flag.yaml"}
			}
			c := s.mishap(args...).begin()
			c.ends(6)
			s.reverted()
			for name := range all {
				if !strings.Contains(c.err.String(), "x"+name+".jsonl") {
					t.Errorf("%s is not named:\n%s", name, c.err.String())
				}
			}
			again := s.mishap("run", "flag.yaml").begin()
			again.ends(6)
			if s.is("flag") || !strings.Contains(again.err.String(), "--settle WHY") {
				t.Errorf("it ran, or does not say what to do:\n%s", again.err.String())
			}
			for name := range all {
				s.mishap("revert", "x"+name, "--settle", "looked at it").begin().ends(0)
				if _, err := os.Lstat(s.state("undo", "damaged", "x"+name+".jsonl")); err != nil {
					t.Errorf("what was settled is not kept: %v", err)
				}
			}
			s.mishap("revert", "--all").begin().ends(0)
			if _, err := os.Lstat(s.state("undo")); err != nil {
				t.Error(err)
			}
			s.holding(s.mishap("run", "flag.yaml")) // and it may run again
		})
	}
}

// TestOfADamagedUndoFileTheLedgersCopyIsUsed damages that of a known run.
func TestOfADamagedUndoFileTheLedgersCopyIsUsed(t *testing.T) {
	whole := ""
	for name := range strangers("xxx") {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			path := s.left()
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			whole = string(text)
			_ = os.Remove(path)
			if err := strangers(whole)[name](path); err != nil {
				t.Fatal(err)
			}
			s.mishap("revert", "--all").begin().ends(0)
			s.reverted()
			s.mishap("revert", "--all").begin().ends(0)
		})
	}
}

// TestADamagedUndoFileKeepsOnlyFromStartingWhatItIsAbout damages, with the ledger
// lost, the line that holds the injection; those after it tell what it changes.
func TestADamagedUndoFileKeepsOnlyFromStartingWhatItIsAbout(t *testing.T) {
	s := newStage(t)
	s.write("other.yaml", fmt.Sprintf(hangingFile, "other", `  - name: other
    injector: exec
    with: {inject: [touch, other], revert: [rm, -f, other], verify: [test, -e, other], diesWith: boot}
    for: 300ms
`))
	path := s.left()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text[bytes.Index(text, []byte("touch"))] ^= 1 // it would revert another file than the one that is there
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s.forget()
	first := s.mishap("revert", "--all").begin()
	first.ends(6)
	s.runs(0, func() *started { return s.mishap("run", "other.yaml") })
	same := s.mishap("run", "flag.yaml").begin()
	same.ends(5)
	if !strings.Contains(same.out.String()+same.err.String(), "--settle WHY") {
		t.Errorf("it does not say what to do:\n%s%s", same.out.String(), same.err.String())
	}
	s.mishap("revert", "--all").begin().ends(6)
	_ = os.Remove(filepath.Join(s.dir, "flag"))
	s.mishap("revert", strings.TrimSuffix(filepath.Base(path), ".jsonl"), "--settle", "removed it").begin().ends(0)
	s.mishap("revert", "--all").begin().ends(0)
	s.holding(s.mishap("run", "flag.yaml"))
}

// forget removes the ledger.
func (s *stage) forget() {
	for _, name := range []string{"ledger.db", "ledger.db-wal", "ledger.db-shm"} {
		_ = os.Remove(s.state(name))
	}
}

// TestAnUndoFileThatCannotBeRevertedIsSettledByAPerson has no ledger, and the
// target answers no revert. What is damaged is set aside all the same; what is not
// is tried again and again.
func TestAnUndoFileThatCannotBeRevertedIsSettledByAPerson(t *testing.T) {
	for name, damage := range map[string]string{"partly readable": "what is this?\n{\"id\":\"nobody's\"}\n", "whole": ""} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			path := s.left()
			s.appendTo(path, damage)
			s.forget()
			_ = os.Remove(filepath.Join(s.dir, "go"))
			run := strings.TrimSuffix(filepath.Base(path), ".jsonl")
			for range 2 {
				c := s.mishap("revert", "--all").begin()
				c.ends(6)
				if said := c.out.String() + c.err.String(); !strings.Contains(said, "mishap revert "+run+" --settle WHY") || !strings.Contains(said, "flag on") {
					t.Errorf("it does not say what may be in, or what to do:\n%s", said)
				}
			}
			if _, err := os.Lstat(s.state("undo", "damaged", run+".jsonl")); (err == nil) != (damage != "") {
				t.Errorf("set aside: %v", err)
			}
			c := s.mishap("run", "flag.yaml").begin()
			c.ends(6)
			s.mishap("revert", run, "--settle", " ").begin().ends(2)
			s.mishap("revert", run, "--settle", "").begin().ends(2)
			s.mishap("revert", "--all").begin().ends(6)
			s.mishap("revert", run, "--settle", "removed it").begin().ends(0)
			settled, err := os.ReadFile(s.state("undo", "damaged", run+".jsonl.settled"))
			if err != nil || !strings.Contains(string(settled), `"reason":"removed it"`) || !strings.Contains(string(settled), `"by":"`+whoami()+`"`) {
				t.Errorf("who settled it, and why, is not kept: %s, %v", settled, err)
			}
			if !s.is("flag") {
				t.Error("settling called something")
			}
			_ = os.Remove(filepath.Join(s.dir, "flag"))
			s.write("go", "")
			s.holding(s.mishap("run", "flag.yaml"))
		})
	}
}

// TestWhatWasSetAsideIsRevertedOnceThatIsPossible leaves what cannot be read to a
// person.
func TestWhatWasSetAsideIsRevertedOnceThatIsPossible(t *testing.T) {
	s := newStage(t)
	s.appendTo(s.left(), "what is this?\nand this?\n")
	s.forget()
	_ = os.Remove(filepath.Join(s.dir, "go"))
	s.mishap("revert", "--all").begin().ends(6)
	if !s.is("flag") {
		t.Fatal("it was reverted")
	}
	s.write("go", "")
	s.mishap("revert", "--all").begin().ends(6)
	s.reverted()
}

func (s *stage) appendTo(path, text string) {
	s.t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
}

// TestADamagedNextStateIsMadeGoodByTheOthers damages a line that holds nothing.
func TestADamagedNextStateIsMadeGoodByTheOthers(t *testing.T) {
	s := newStage(t)
	path := s.left()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text[bytes.Index(text, []byte(`"injecting"`))] ^= 1
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s.forget()
	s.mishap("revert", "--all").begin().ends(0)
	s.reverted()
}

// TestWhatComesBeforeDamageCounts has no ledger to help.
func TestWhatComesBeforeDamageCounts(t *testing.T) {
	s := newStage(t)
	path := s.left()
	s.appendTo(path, "\x00\xff no line\n{\"id\":\"nobody's\"}\n")
	s.forget()
	s.mishap("revert", "--all").begin().ends(6)
	s.reverted()
}

// TestALockedLedgerDelaysNoFirstRevert holds an exclusive lock until the fault
// is out.
func TestALockedLedgerDelaysNoFirstRevert(t *testing.T) {
	for _, args := range [][]string{{"revert", "--all"}, {"revert", "last"}, {"run", "flag.yaml"}, {"serve", "--experiments", "experiments", "--listen", "none"}} {
		t.Run(args[0]+" "+args[1], func(t *testing.T) {
			s := newStage(t)
			if err := os.Mkdir(filepath.Join(s.dir, "experiments"), 0o700); err != nil {
				t.Fatal(err)
			}
			s.left()
			unlock := lockLedger(t, s.state("ledger.db"))
			c := s.mishap(args...).begin()
			s.outWhileLocked(unlock)
			unlock()
			if args[0] == "revert" {
				_ = c.Wait() // in time it recorded it, or it says that it could not
				if code := c.ProcessState.ExitCode(); code != 0 && code != 1 {
					t.Errorf("exit %d\n%s", code, c.err.String())
				}
			} else {
				s.killAll(c) // what it does next is not what is tested
			}
			await(t, "the keeper has ended", func() bool { return len(s.keepers()) == 0 })
			s.mishap("revert", "--all").begin().ends(0)
			s.reverted()
			if undo, _ := filepath.Glob(s.state("undo", "*.jsonl")); undo != nil {
				t.Errorf("not recorded: %v", undo)
			}
		})
	}
}

// TestAKeeperThatDiesWhileTheLedgerIsWaitedForLeavesNothing kills it once who reverts
// has seen it alive and waits for a locked ledger.
func TestAKeeperThatDiesWhileTheLedgerIsWaitedForLeavesNothing(t *testing.T) {
	s := newStage(t)
	run := s.holding(s.mishap("run", "flag.yaml"))
	keepers := s.keepers()
	freeze(t, append(keepers, run.Process.Pid)...)
	_ = run.Process.Kill()
	_ = run.Wait()
	unlock := lockLedger(t, s.state("ledger.db"))
	revert := s.mishap("revert", "--all").begin()
	await(t, "it waits for the ledger", func() bool { return opened(revert.Process.Pid, s.state("ledger.db")) })
	for _, pid := range keepers {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	s.outWhileLocked(unlock)
	_ = revert.Wait()
}

// opened reports whether a process has a file open.
func opened(pid int, path string) bool {
	all, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	return slices.ContainsFunc(all, func(fd string) bool {
		to, err := os.Readlink(fd)
		return err == nil && to == path
	})
}

// mostTurns is how many turns of this machine what does not wait for the ledger may
// take: it takes less than ten. What asks the ledger first waits for its lock for 10 s,
// which are hundreds.
const mostTurns = 40

// outWhileLocked waits until the flag is gone, with the ledger still locked.
func (s *stage) outWhileLocked(unlock func()) {
	s.t.Helper()
	defer unlock()
	began, turns := time.Now(), 0
	await(s.t, "the flag is gone while the ledger is locked", func() bool {
		if !s.is("flag") {
			return true
		}
		s.turn()
		turns++
		return false
	})
	s.t.Logf("it was out after %s, or %d turns", time.Since(began).Round(time.Millisecond), turns)
	if turns > mostTurns {
		s.t.Errorf("it was out after %d turns of this machine: it has waited for the ledger", turns)
	}
}

// turn starts a program and waits for the disk, which takes the longer the busier
// processors and disk are: time as reverts have it.
func (s *stage) turn() {
	s.t.Helper()
	s.mishap("version").begin().ends(0)
	f, err := os.Create(filepath.Join(s.dir, "turn"))
	if err == nil {
		_, err = f.WriteString("x")
		err = errors.Join(err, f.Sync(), f.Close())
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// lockLedger takes SQLite's exclusive lock on a ledger, in this process: the bytes
// from PENDING_BYTE on (https://sqlite.org/src/file/src/os.h).
func lockLedger(t *testing.T, path string) func() {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Start: 0x40000000, Len: 512}
	if err := syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &lock); err != nil {
		t.Fatal(err)
	}
	return func() { _ = f.Close() }
}

// TestOnAFullDiskWhatIsInIsRevertedFirst runs in a mount namespace of its own,
// with the state directory on a file system of 2 MiB that is then filled.
func TestOnAFullDiskWhatIsInIsRevertedFirst(t *testing.T) {
	if !inside(t, syscall.CLONE_NEWNS) {
		return
	}
	s := newStage(t)
	state := s.state()
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", state, "tmpfs", 0, "size=2m,mode=700"); err != nil {
		t.Skipf("NOT TESTED: no tmpfs may be mounted here: %v", err)
	}
	defer func() { _ = syscall.Unmount(state, syscall.MNT_DETACH) }()
	s.left()
	fill(t, filepath.Join(state, "ballast"))
	c := s.mishap("revert", "--all").begin()
	c.ends(1)
	s.reverted()
	if !strings.Contains(c.err.String(), "could not be recorded") {
		t.Errorf("it does not say that it is not recorded:\n%s", c.err.String())
	}
	if err := os.Remove(filepath.Join(state, "ballast")); err != nil {
		t.Fatal(err)
	}
	s.mishap("revert", "--all").begin().ends(0)
	if out := s.mishap("status").begin(); true {
		out.ends(0)
		if said := out.out.String() + out.err.String(); strings.Contains(said, "may still be in force") {
			t.Errorf("it is not recorded:\n%s", said)
		}
	}
}

// fill writes until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 16; size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
	}
	if !strings.Contains(fmt.Sprint(err), "no space") {
		t.Fatal(err)
	}
}

const hangingFile = `version: 1
name: %s
claim: Nothing minds.
steadyState:
  - {name: fine, probe: exec, with: {argv: ["true"]}, every: 50ms}
faults:
%sblastRadius: {targets: 2}
recovery: {within: 2m}
`

// hanging is a fault whose revert does not end until a file is there.
const hanging = `  - name: hang
    injector: exec
    with: {inject: [touch, hung], revert: {shell: "while ! test -e let; do sleep 0.05; done; rm -f hung"}, verify: [test, -e, hung], diesWith: boot}
    for: 10m
`

// TestARevertThatHangsDelaysNoOther kills a server whose keeper then has a revert
// that hangs, and lets a run hang that is taken over beside another.
func TestARevertThatHangsDelaysNoOther(t *testing.T) {
	t.Run("of one run, in its keeper", func(t *testing.T) {
		v := newVictim(t)
		s := &stage{t: t, dir: v.dir}
		stop := fmt.Sprintf("  - {name: stop, injector: process-stop, targets: {pid: %d}, for: 10m}\n", v.pid)
		s.write("both.yaml", fmt.Sprintf(hangingFile, "both", stop+hanging))
		c := s.mishap("run", "both.yaml").begin()
		await(t, "both faults are in", func() bool { return v.stopped() && s.is("hung") })
		_ = c.Process.Kill()
		await(t, "the process runs while the other revert hangs", func() bool { return !v.stopped() })
		if !s.is("hung") {
			t.Error("the other revert did not hang")
		}
		s.write("let", "")
		await(t, "the keeper has ended", func() bool { return len(s.keepers()) == 0 })
		s.mishap("revert", "--all").begin().ends(0)
	})
	t.Run("of several runs, taken over", func(t *testing.T) {
		s := newStage(t)
		s.write("hanging.yaml", fmt.Sprintf(hangingFile, "hanging", hanging))
		one, two := s.mishap("run", "hanging.yaml").begin(), s.holding(s.mishap("run", "flag.yaml"))
		await(t, "both faults are in", func() bool { return s.is("hung") && s.is("flag") })
		s.killAll(one, two)
		again := s.mishap("revert", "--all").begin()
		await(t, "the other run is reverted, verified and over while the first one hangs", func() bool {
			look := s.mishap("status").begin()
			_ = look.Wait()
			return !s.is("flag") && strings.Contains(look.out.String(), "completed")
		})
		if !s.is("hung") {
			t.Error("the first one did not hang")
		}
		s.write("let", "")
		again.ends(0)
		s.reverted()
	})
}

// TestAnInterruptWhileSomethingIsMendedLetsNothingStart presses Ctrl-C while the
// revert of what was left still fails.
func TestAnInterruptWhileSomethingIsMendedLetsNothingStart(t *testing.T) {
	s := newStage(t)
	s.left()
	_ = os.Remove(filepath.Join(s.dir, "go"))
	c := s.mishap("run", "flag.yaml").begin()
	c.says("reverting")
	c.signal(syscall.SIGINT)
	c.says("Ctrl-C: reverting")
	s.write("go", "")
	c.ends(130)
	s.reverted()
}

// TestWhatIsStrandedIsRevertedAndSettledWhileItsServerLives: the server tries again
// by itself, after minutes in the end, and keeps no person from doing it.
func TestWhatIsStrandedIsRevertedAndSettledWhileItsServerLives(t *testing.T) {
	for name, end := range map[string][]string{"reverted": {"revert", "last"}, "all reverted": {"revert", "--all"}, "settled": {"revert", "last", "--settle", "removed it"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			if err := os.Mkdir(filepath.Join(s.dir, "experiments"), 0o700); err != nil {
				t.Fatal(err)
			}
			s.write("mishap.yaml", "revertWithin: 1s\n")
			s.left()
			_ = os.Remove(filepath.Join(s.dir, "go"))
			s.mishap("serve", "--experiments", "experiments", "--listen", "none").begin()
			await(t, "the server has given up", func() bool {
				status := s.mishap("status")
				_ = status.Run()
				return strings.Contains(status.out.String(), "stranded")
			})
			revert := s.mishap("revert", "--all").begin()
			revert.ends(6)
			if said := revert.out.String(); strings.Contains(said, "nothing to revert") || !s.is("flag") {
				t.Errorf("it says %q", said)
			}
			if end[len(end)-2] != "--settle" {
				s.write("go", "")
			}
			s.mishap(end...).begin().ends(0)
			if s.is("flag") != (name == "settled") {
				t.Errorf("the flag is there: %v", s.is("flag"))
			}
			last := s.mishap("revert", "--all").begin()
			last.ends(0)
		})
	}
}
