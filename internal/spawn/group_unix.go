//go:build unix

package spawn

import (
	"errors"
	"os"
	"syscall"
)

// OwnGroup makes the command lead a process group, so that its children can be
// killed with it, and Ctrl-C on a terminal does not reach it.
func (c *Cmd) OwnGroup() { c.attributes().Setpgid = true }

// OwnSession makes the command lead a session, which no terminal's end reaches.
func (c *Cmd) OwnSession() { c.attributes().Setsid = true }

// KillGroup kills the group of a command that was started in its own.
func (c *Cmd) KillGroup() error {
	err := syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
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
