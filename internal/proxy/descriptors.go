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
		limit, known := descriptorLimit()
		kept = known && uint64(fd)+1 >= limit-min(mostKept, limit/4)
	})
	return kept
}

// descriptorLimit is how many file descriptors the process may have now.
func descriptorLimit() (most uint64, known bool) {
	var limit unix.Rlimit
	err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit)
	return limit.Cur, err == nil
}
