package injectors

import "syscall"

// ownGroup gives a command a process group of its own, so that its timeout
// reaches its children, and ends it with the thread that started it.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
