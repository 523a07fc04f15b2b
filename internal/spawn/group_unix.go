//go:build unix

package spawn

import (
	"crypto/rand"
	"errors"
	"os"
	"syscall"
)

// OwnGroup makes the command lead a process group and marks what it starts, so that
// all of it can be killed with it, and Ctrl-C on a terminal does not reach it.
func (c *Cmd) OwnGroup() {
	c.attributes().Setpgid = true
	c.mark = rand.Text()
}

// OwnSession makes the command lead a session, which no terminal's end reaches.
func (c *Cmd) OwnSession() { c.attributes().Setsid = true }

// KillGroup kills the group of a command that was started in its own, and on Linux
// also what has left the group, such as a daemon in a session of its own.
func (c *Cmd) KillGroup() error {
	err := syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
	killMarked(c.mark)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}

func (c *Cmd) attributes() *syscall.SysProcAttr {
	if c.SysProcAttr == nil {
		c.SysProcAttr = &syscall.SysProcAttr{}
	}
	return c.SysProcAttr
}
