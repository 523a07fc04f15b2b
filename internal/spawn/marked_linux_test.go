package spawn_test

import (
	"bufio"
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mishap/internal/spawn"
)

// started runs a shell in a group of its own, whose output is the PID of what it has
// left running.
func started(t *testing.T, script string) (c *spawn.Cmd, pid int) {
	t.Helper()
	c = spawn.Command("sh", "-c", script)
	c.OwnGroup()
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal("the script says nothing:", err)
	}
	if pid, err = strconv.Atoi(strings.TrimSpace(line)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL); _ = c.KillGroup(); _ = c.Wait() })
	return c, pid
}

// gone waits until a process has ended, and reports whether it has.
func gone(ctx context.Context, pid int) bool {
	for ctx.Err() == nil {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if errors.Is(err, os.ErrNotExist) || strings.Contains(string(stat), ") Z ") {
			return true
		}
		time.Sleep(time.Millisecond)
	}
	return false
}

func TestKillingACommandKillsWhatHasLeftItsGroup(t *testing.T) {
	for name, script := range map[string]string{
		"a session of its own":    `setsid sh -c 'echo $$; exec sleep 3600' & wait`,
		"a daemon without parent": `setsid sh -c 'sh -c "echo \$\$; exec sleep 3600" & ' ; sleep 3600`,
		"many generations":        `setsid sh -c 'setsid sh -c "setsid sleep 3600 & echo \$\$; exec sleep 3600" & wait' & wait`,
	} {
		t.Run(name, func(t *testing.T) {
			c, pid := started(t, script)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			if err := c.KillGroup(); err != nil {
				t.Fatal(err)
			}
			if !gone(ctx, pid) {
				t.Error("it lives on")
			}
		})
	}
}

// What one command started is not another one's.
func TestKillingACommandKillsNothingElse(t *testing.T) {
	const script = `setsid sh -c 'echo $$; exec sleep 3600' & wait`
	one, _ := started(t, script)
	_, other := started(t, script)
	if err := one.KillGroup(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(other, 0); err != nil {
		t.Error("it is gone:", err)
	}
}

// A command begins without the mark of what started mishap itself: a keeper outlives it.
func TestACommandHasNoMarkButItsOwn(t *testing.T) {
	t.Setenv("MISHAP_COMMAND", "outer")
	out, err := spawn.Command("env").Output()
	if err != nil || strings.Contains(string(out), "MISHAP_COMMAND") {
		t.Errorf("%v\n%s", err, out)
	}
	c := spawn.Command("env")
	c.OwnGroup()
	if out, err = c.Output(); err != nil || strings.Count(string(out), "MISHAP_COMMAND=") != 1 || strings.Contains(string(out), "outer") {
		t.Errorf("%v\n%s", err, out)
	}
}
