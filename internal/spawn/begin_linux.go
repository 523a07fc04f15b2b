package spawn

import (
	"fmt"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// EndsWithUs kills the command when this process dies. It must then be started
// with Run: the kernel means the thread that started it.
func (c *Cmd) EndsWithUs() { c.attributes().Pdeathsig = syscall.SIGKILL }

// unblocked starts a command from a thread that blocks no signal: a process
// begins with what its thread blocks, and that is whatever the caller of mishap
// blocked.
func unblocked(start func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var none, before unix.Sigset_t
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &none, &before); err != nil {
		return fmt.Errorf("unblock signals: %w", err)
	}
	defer func() { _ = unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil) }()
	return start()
}
