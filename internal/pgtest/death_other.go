//go:build !linux

package pgtest

import "syscall"

// dieWithUs is only on Linux; elsewhere a killed test leaves its server.
func dieWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
