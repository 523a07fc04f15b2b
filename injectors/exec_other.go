//go:build !linux

package injectors

import "syscall"

// ownGroup gives a command a process group of its own, so that its timeout
// reaches its children.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
