//go:build unix

package spawn

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// OwnGroup makes the command lead a process group, so that its children can be
// killed with it.
func OwnGroup(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

// KillGroup kills the group of a command that was started in its own.
func KillGroup(leader *os.Process) error {
	err := syscall.Kill(-leader.Pid, syscall.SIGKILL)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}
