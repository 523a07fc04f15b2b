package spawn

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
)

// Cmd is a command that begins as one does that a person types into a new
// shell: with no signal blocked, none of this process's files but those it is
// given, and the umask, priority and limits of whoever called mishap.
//
// Every process that mishap starts is a Cmd; a test holds that. Signals that
// whoever called mishap ignores are the program's part: it catches them, since
// a caught signal is put back to its default when a process begins, and an
// ignored one is not.
type Cmd struct{ *exec.Cmd }

// Command is [exec.Command].
func Command(name string, args ...string) *Cmd { return &Cmd{exec.Command(name, args...)} }

// CommandContext is [exec.CommandContext].
func CommandContext(ctx context.Context, name string, args ...string) *Cmd {
	return &Cmd{exec.CommandContext(ctx, name, args...)}
}

// Start starts the command and does not wait for it.
func (c *Cmd) Start() error { return unblocked(c.Cmd.Start) }

// Run starts the command on one thread and waits for it there.
func (c *Cmd) Run() error { return unblocked(c.Cmd.Run) }

// Output runs the command and gives what it printed.
func (c *Cmd) Output() (out []byte, err error) {
	err = unblocked(func() error {
		out, err = c.Cmd.Output()
		return err
	})
	return out, err
}

// CombinedOutput runs the command and gives all that it printed.
func (c *Cmd) CombinedOutput() (out []byte, err error) {
	err = unblocked(func() error {
		out, err = c.Cmd.CombinedOutput()
		return err
	})
	return out, err
}

// HideDescriptors keeps to this process what whoever called it had open: a
// keeper, or what a fault leaves running, must hold nobody's lock or pipe. The
// standard three are given to each command or not.
func HideDescriptors() {
	for _, folder := range []string{"/proc/self/fd", "/dev/fd"} {
		open, err := os.ReadDir(folder)
		if err != nil {
			continue
		}
		for _, f := range open {
			if fd, err := strconv.Atoi(filepath.Base(f.Name())); err == nil && fd > 2 {
				syscall.CloseOnExec(fd)
			}
		}
		return
	}
}
