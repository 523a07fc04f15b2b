package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"mishap/internal/freeport"
)

var stopping = []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM}

func TestEverySignalRevertsARun(t *testing.T) {
	for _, sig := range stopping {
		t.Run(sig.String(), func(t *testing.T) {
			s := newStage(t)
			c := s.holding(s.mishap("run", "flag.yaml"))
			c.signal(syscall.SIGPIPE, sig)
			c.ends(130)
			s.reverted()
		})
	}
}

func TestAHangUpThatIsIgnoredAtTheStartStopsNoRun(t *testing.T) {
	s := newStage(t)
	c := s.mishap("run", "flag.yaml")
	c.Args = append([]string{"sh", "-c", `trap "" HUP; exec "$0" "$@"`, c.Path}, c.Args[1:]...)
	c.Path = "/bin/sh"
	s.holding(c)
	c.signal(syscall.SIGHUP, syscall.SIGINT) // they are told in this order
	c.ends(130)
	s.reverted()
	if said := c.err.String(); strings.Contains(said, "SIGHUP") || !strings.Contains(said, "Ctrl-C: reverting") {
		t.Errorf("it was not Ctrl-C that stopped it:\n%s", said)
	}
}

func TestNoSignalEndsAKeeper(t *testing.T) {
	s := newStage(t)
	c := s.holding(s.mishap("run", "flag.yaml"))
	keeper := s.keepers()
	if len(keeper) != 1 {
		t.Fatalf("keepers: %v", keeper)
	}
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGPIPE} {
		if err := syscall.Kill(keeper[0], sig); err != nil {
			t.Fatal(err)
		}
	}
	c.signal(syscall.SIGINT)
	c.ends(130)
	s.reverted()
	if strings.Contains(c.err.String(), "lost") {
		t.Errorf("the keeper was lost:\n%s", c.err.String())
	}
}

func TestNoSignalEndsARevertHalfWay(t *testing.T) {
	for _, sig := range stopping {
		t.Run(sig.String(), func(t *testing.T) {
			s := newStage(t)
			c := s.holding(s.mishap("run", "flag.yaml"))
			_ = os.Remove(filepath.Join(s.dir, "go"))
			s.killAll(c)
			again := s.mishap("revert", "--all").begin()
			again.says("reverting")
			again.signal(syscall.SIGPIPE, sig)
			again.says("a second one lists what is still in force")
			s.write("go", "")
			again.ends(0)
			s.reverted()
		})
	}
}

func TestAHangUpReloadsAServerAndEndsNothing(t *testing.T) {
	s := newStage(t)
	if err := os.Mkdir(filepath.Join(s.dir, "experiments"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		c := s.mishap("serve", "--experiments", "experiments", "--listen", "none").begin()
		c.says("server starts")
		c.signal(syscall.SIGPIPE, syscall.SIGHUP)
		c.says("reload: every source is looked at now")
		c.says("reload: no setting has changed")
		c.signal(sig)
		c.ends(0)
	}
}

// proxying starts a proxy "web" and waits until it listens.
func (s *stage) proxying(change func(*started)) *started {
	s.t.Helper()
	s.write("mishap.yaml", fmt.Sprintf("proxies: [{name: web, listen: %q, upstream: %q}]\n", freeport.Address(), freeport.Address()))
	c := s.mishap("proxy")
	if change != nil {
		change(c)
	}
	c.begin()
	await(s.t, "the proxy answers", func() bool {
		ask := s.mishap("proxy", "watch", "--count", "1")
		return ask.Run() == nil
	})
	return c
}

func TestAHangUpEndsNoProxyAndWhatWatchesItEndsWell(t *testing.T) {
	s := newStage(t)
	c := s.proxying(nil)
	c.signal(syscall.SIGPIPE, syscall.SIGHUP)
	c.says("no setting of the proxies has changed")
	s.write("mishap.yaml", "proxies: [{name: web}]\n")
	c.signal(syscall.SIGHUP)
	c.says("SIGUSR2 would fail, the settings are wrong: mishap.yaml:1:11: proxies: ")
	s.write("mishap.yaml", fmt.Sprintf("proxies: [{name: web, listen: %q, upstream: %q}]\n", freeport.Address(), freeport.Address()))
	c.signal(syscall.SIGHUP)
	c.says("other settings wait: proxies (mishap.yaml:1); SIGUSR2 takes them over")
	for _, sig := range stopping {
		w := s.mishap("proxy", "watch").begin()
		w.says("web")
		w.signal(sig)
		w.ends(0)
		o := s.mishap("observe", "web", "--for", "10m").begin()
		o.says("watching web")
		o.signal(sig)
		o.ends(0)
		if o.out.String() == "" && !strings.Contains(o.err.String(), "nothing was seen yet") {
			t.Error("what was observed is not said")
		}
	}
	c.signal(syscall.SIGTERM)
	c.ends(0)
	again := s.proxying(nil)
	again.signal(syscall.SIGINT)
	again.ends(0)
}

func TestADemoThatIsInterruptedClosesItsShop(t *testing.T) {
	t.Parallel()
	for _, sig := range stopping[:2] {
		s := newStage(t)
		c := s.mishap("demo", "--dir", ".").begin() // its state is that of the stage
		await(t, "the demo holds a fault", func() bool {
			status := s.mishap("status")
			return status.Run() == nil && strings.Contains(status.out.String(), "holding")
		})
		c.signal(sig)
		c.ends(130)
		if left := processes(s.dir, "MISHAP"); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
		await(t, "the keepers have ended", func() bool { return len(processes(s.dir)) == 0 })
	}
}

func TestAReaderThatIsGoneChangesNoVerdict(t *testing.T) {
	t.Parallel()
	for name, of := range map[string]func(*testing.T) *os.File{"closed": unreadable, "full": devFull} {
		for argv, code := range map[string]int{`"true"`: 0, `sh, -c, "! test -e flag"`: 3} {
			t.Run(fmt.Sprint(name, " ", code), func(t *testing.T) {
				for _, output := range []string{"text", "json"} {
					s := newStage(t)
					s.experiment(argv, "1s")
					s.runs(code, func() *started {
						c := s.mishap("run", "-v", "flag.yaml", "-o", output)
						c.Stdout, c.Stderr = of(t), of(t)
						return c
					})
					s.reverted()
				}
			})
		}
	}
}

func devFull(t *testing.T) *os.File {
	t.Helper()
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestAReaderThatHasReadEnoughIsNoError(t *testing.T) {
	s := newStage(t)
	s.experiment(`"true"`, "500ms")
	s.runs(0, func() *started { return s.mishap("run", "flag.yaml") })
	for _, line := range []string{
		"list", "status", "status last", "report last", "report last -o html", "report last -o junit", "catalog", "catalog exec", "config",
		"validate flag.yaml", "plan flag.yaml", "version", "help", "schedule flag.yaml -n 3", "halt --state state", "resume", "completion bash",
	} {
		c := s.mishap(strings.Fields(line)...)
		_ = c.begin().Wait()
		usual := c.ProcessState.ExitCode()
		c = s.mishap(strings.Fields(line)...)
		c.Stdout = unreadable(t)
		c.begin().ends(usual)
		if strings.Contains(c.err.String(), "pipe") {
			t.Errorf("%s: it complains: %s", line, c.err.String())
		}
	}
	c := s.mishap("status")
	c.Stdout = devFull(t)
	c.begin().ends(1)
	if !strings.Contains(c.err.String(), "no space left") {
		t.Errorf("a full disk is not said: %s", c.err.String())
	}
	// What goes on and on ends when its reader does.
	p := s.proxying(nil)
	c = s.mishap("proxy", "watch")
	c.Stdout = unreadable(t)
	c.begin().ends(0)
	p.signal(syscall.SIGINT)
	p.ends(0)
}

func TestAReaderThatDoesNotReadHoldsUpNoRevert(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	c := s.mishap("run", "-v", "flag.yaml")
	c.Stderr = unread(t)
	s.holding(c)
	c.signal(syscall.SIGINT)
	c.ends(130)
	s.reverted()

	if err := os.Mkdir(filepath.Join(s.dir, "experiments"), 0o700); err != nil {
		t.Fatal(err)
	}
	c = s.mishap("serve", "--experiments", "experiments", "--listen", "none", "-v")
	c.Stderr = unread(t)
	c.begin()
	await(t, "the server answers", func() bool {
		code, _ := (&member{state: filepath.Join(s.dir, "state")}).call("GET", "/readyz", "")
		return code == 200
	})
	c.signal(syscall.SIGHUP, syscall.SIGTERM)
	c.ends(0)

	c = s.proxying(func(c *started) { c.Stdout, c.Stderr = unread(t), unread(t) })
	c.signal(syscall.SIGHUP, syscall.SIGUSR2)
	await(t, "the first proxy has ended", func() bool { return c.Process.Signal(syscall.Signal(0)) == nil && ended(c.Process.Pid) })
	c.ends(0)
	for _, pid := range processes("proxy", os.Args[0]) {
		if dir, _ := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)); dir == s.dir {
			_ = syscall.Kill(pid, syscall.SIGTERM)
		}
	}
}

// ended reports whether a process is a zombie or gone.
func ended(pid int) bool {
	state := stateOf(pid)
	return state == 0 || state == 'Z'
}

func TestASignalEndsAResultThatNobodyReads(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.experiment(`"true"`, "50ms")
	c := s.mishap("run", "flag.yaml", "flag.yaml")
	c.Stdout = unread(t)
	c.begin().says("completed")
	c.signal(syscall.SIGTERM)
	c.ends(130)
	s.reverted()
	if n := strings.Count(c.err.String(), "planned"); n != 1 {
		t.Errorf("%d runs began", n)
	}
}

const howItBegins = `version: 1
name: how-it-begins
claim: Commands begin as those of an ordinary process.
steadyState:
  - {name: p, probe: exec, with: {argv: [./look, probe]}}
faults:
  - name: f
    injector: exec
    with: {prepare: [./look, prepare], inject: [./look, inject], revert: [./look, revert], verify: [./look, verify], diesWith: boot}
    for: 500ms
blastRadius: {targets: 1}
`

// look notes how it began. The file 3 is the folder that ls reads.
const look = `#!/bin/sh
{ grep -E 'Sig(Blk|Ign)' /proc/self/status; echo "umask $(umask)"; echo "nice $(nice)"
  echo "files" $(ls /proc/self/fd); [ $(cut -d' ' -f5 /proc/$$/stat) = $$ ] && echo "own group"; } > "$1.txt"
case $1 in inject) touch flag;; revert) rm -f flag;; verify) test -e flag;; esac
`

func TestWhatMishapStartsBeginsAsAnOrdinaryProcess(t *testing.T) {
	s := newStage(t)
	s.write("how.yaml", howItBegins)
	s.write("look", look)
	if err := os.Chmod(filepath.Join(s.dir, "look"), 0o700); err != nil {
		t.Fatal(err)
	}
	own, err := exec.Command("nice").Output()
	if err != nil {
		t.Skip(err)
	}
	s.runs(0, func() *started {
		c := s.mishap("run", "how.yaml")
		c.Args = append([]string{"sh", "-c", `trap "" HUP INT QUIT TERM PIPE USR1 USR2 XFSZ; umask 027; exec 9> lock; exec nice -n 5 "$0" "$@"`, c.Path}, c.Args[1:]...)
		c.Path = "/bin/sh"
		return c
	})
	want := fmt.Sprintf("SigBlk:\t%016x\nSigIgn:\t%016x\numask 0027\nnice %d\nfiles 0 1 2 3\nown group\n", 0, ignoredForTheLibrary(t), number(string(own))+5)
	for _, role := range []string{"probe", "prepare", "inject", "verify", "revert"} {
		if got, err := os.ReadFile(filepath.Join(s.dir, role+".txt")); err != nil || string(got) != want {
			t.Errorf("%s began with (%v)\n%swant\n%s", role, err, got, want)
		}
	}
}

// ignoredForTheLibrary gives those of signals 32 and 33 that this test was
// started with ignored. They are the C library's own: neither a shell nor Go can
// set them, so what mishap starts has them as mishap had.
func ignoredForTheLibrary(t *testing.T) uint64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, mask, _ := strings.Cut(string(status), "SigIgn:")
	mask, _, _ = strings.Cut(strings.TrimSpace(mask), "\n")
	ignored, err := strconv.ParseUint(mask, 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	return ignored & (1<<(32-1) | 1<<(33-1))
}

func number(text string) (n int) { _, _ = fmt.Sscan(text, &n); return n }

// TestAResultThatCannotBeWrittenIsAnError of every verb, help too.
func TestAResultThatCannotBeWrittenIsAnError(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.experiment(`"true"`, "50ms")
	for _, args := range [][]string{
		{"help"}, {"run", "--help"}, {}, {"version"}, {"validate", "flag.yaml"}, {"plan", "flag.yaml"}, {"status"}, {"catalog"}, {"completion", "bash"},
	} {
		c := s.mishap(args...)
		c.Stdout = devFull(t)
		c.begin().ends(1)
		if n := strings.Count(c.err.String(), "no space left"); n != 1 {
			t.Errorf("%q says so %d times: %s", args, n, c.err.String())
		}
	}
}
