package proxy

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// mostKept file descriptors, or a quarter of those that the process may have, are not for traffic: whoever wants to take a
// fault out must get through to the control API. The system gives the lowest number that is free.
const mostKept = 32

// keptBack says whether a connection that was accepted, or one to its upstream, would take a descriptor that is kept.
func keptBack(conn any) bool {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	kept := false
	_ = raw.Control(func(fd uintptr) {
		var limit unix.Rlimit
		kept = unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil && uint64(fd)+1 >= limit.Cur-min(mostKept, limit.Cur/4)
	})
	return kept
}
