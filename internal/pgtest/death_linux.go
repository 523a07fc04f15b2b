package pgtest

import "syscall"

// dieWithUs lets the kernel end a child with the thread that started it.
func dieWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
