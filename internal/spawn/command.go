package spawn

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
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
type Cmd struct {
	*exec.Cmd
	mark string // in the environment of all that it starts; empty: none
}

// Command is [exec.Command].
func Command(name string, args ...string) *Cmd { return &Cmd{Cmd: exec.Command(name, args...)} }

// CommandContext is [exec.CommandContext].
func CommandContext(ctx context.Context, name string, args ...string) *Cmd {
	return &Cmd{Cmd: exec.CommandContext(ctx, name, args...)}
}

// Start starts the command and does not wait for it.
func (c *Cmd) Start() error { return c.begin(c.Cmd.Start) }

// Run starts the command on one thread and waits for it there.
func (c *Cmd) Run() error { return c.begin(c.Cmd.Run) }

// Output runs the command and gives what it printed.
func (c *Cmd) Output() (out []byte, err error) {
	err = c.begin(func() error {
		out, err = c.Cmd.Output()
		return err
	})
	return out, err
}

// CombinedOutput runs the command and gives all that it printed.
func (c *Cmd) CombinedOutput() (out []byte, err error) {
	err = c.begin(func() error {
		out, err = c.Cmd.CombinedOutput()
		return err
	})
	return out, err
}

// markedBy names the mark in an environment.
const markedBy = "MISHAP_COMMAND="

// begin starts the command, with its mark. What mishap was started with is not the
// command's: a keeper outlives whatever started its run.
func (c *Cmd) begin(start func() error) error {
	env := c.Env
	if env == nil {
		env = c.Environ()
	}
	env = slices.DeleteFunc(slices.Clone(env), func(v string) bool { return strings.HasPrefix(v, markedBy) })
	if c.mark != "" {
		env = append(env, markedBy+c.mark)
	}
	c.Env = env
	return unblocked(start)
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
