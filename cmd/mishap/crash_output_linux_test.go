package main

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// TestKilledOutputsAndHangUpsLeaveNothing takes away, at random moments, what a
// run writes to, and stops it as terminals and shells do: a reader that is gone
// or does not read, a hang-up, a Ctrl-C that ends `tee` too.
func TestKilledOutputsAndHangUpsLeaveNothing(t *testing.T) {
	t.Parallel()
	v := newVictim(t)
	n, worst, count := crashes(t), time.Duration(0), map[string]int{}
	ways := []string{"closed", "closed and hung up", "unread", "hung up", "tee", "head"}
	for i := range n {
		way := ways[rand.IntN(len(ways))]
		count[way]++
		took := v.deprive(way)
		worst = max(worst, took)
		for v.kept() {
			time.Sleep(time.Millisecond)
		}
		if v.stopped() {
			t.Fatalf("%d of %d, %s: the victim is stopped", i+1, n, way)
		}
		if out, err := v.mishap("status", "last").CombinedOutput(); err != nil || len(out) == 0 {
			t.Fatalf("%d of %d, %s: %v %s", i+1, n, way, err, out)
		}
		v.mended()
	}
	t.Logf("%d of %d ran again, the slowest after %s: %v", n, n, worst, count)
}

// deprive starts a run, does to it what way says, and returns how long it then
// took to end. The run must revert and exit 130 by itself.
func (v *victim) deprive(way string) time.Duration {
	v.t.Helper()
	c := v.mishap("run", "stop.yaml", "-v")
	switch way {
	case "tee", "head":
		// As from a shell: all of them in one group, which Ctrl-C reaches.
		c.Args = []string{"bash", "-c", map[string]string{
			"tee":  `"$0" run stop.yaml -v 2>&1 | tee log > /dev/null; exit ${PIPESTATUS[0]}`,
			"head": `"$0" run stop.yaml -v 2>&1 | head -1 > /dev/null; exit ${PIPESTATUS[0]}`,
		}[way], c.Path}
		bash, err := exec.LookPath("bash")
		if err != nil {
			v.t.Skip(err)
		}
		c.Path = bash
		// bash waits for its pipeline and dies of the signal itself: trap it.
		c.Args[2] = "trap : INT; " + c.Args[2]
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	}
	var reader io.ReadCloser
	switch way {
	case "unread":
		c.Stderr = unread(v.t) // a result on stdout would wait for its reader, with nothing in
	case "closed", "closed and hung up":
		var err error
		if reader, err = c.StdoutPipe(); err != nil {
			v.t.Fatal(err)
		}
		c.Stderr = c.Stdout
	}
	if err := c.Start(); err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() { _ = c.Process.Kill() })
	moment := func() { time.Sleep(time.Duration(rand.IntN(120)) * time.Millisecond) }
	if reader != nil {
		_, _ = bufio.NewReader(reader).ReadString('\n')
		moment()
		_ = reader.Close()
	}
	if _, ok := v.await(true, 3*time.Minute); !ok {
		v.t.Fatalf("%s: the victim was not stopped", way)
	}
	moment()
	begin := time.Now()
	if pid, signal := c.Process.Pid, map[bool]syscall.Signal{true: syscall.SIGHUP, false: syscall.SIGINT}[way == "hung up" || way == "closed and hung up"]; c.SysProcAttr != nil {
		_ = syscall.Kill(-pid, signal)
	} else {
		_ = syscall.Kill(pid, signal)
	}
	took, ok := v.await(false, 3*time.Minute)
	if !ok {
		v.t.Fatalf("%s: the victim is still stopped after %s", way, time.Since(begin))
	}
	_ = c.Wait()
	if code := c.ProcessState.ExitCode(); code != 130 {
		v.t.Fatalf("%s: %s, want exit 130", way, fmt.Sprint(c.ProcessState))
	}
	return took
}
