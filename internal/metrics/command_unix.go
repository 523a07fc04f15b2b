//go:build unix

package metrics

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// ownGroup makes the command lead a process group, so that its children can be
// killed with it.
func ownGroup(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

// killGroup kills the group of a command that was started in its own.
func killGroup(leader *os.Process) error {
	err := syscall.Kill(-leader.Pid, syscall.SIGKILL)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}
