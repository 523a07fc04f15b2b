package listener

import (
	"mishap/internal/socket"
	"syscall"
)

// mostKept file descriptors, or a quarter of those that the process may have, are not for traffic: whoever wants to take a
// fault out must get through to the control API. The system gives the lowest number that is free.
const mostKept = 288 // for the control API, another one, and what they do

// keptBack says whether a connection that was accepted took a descriptor that is kept.
func keptBack(conn any) bool {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := c.SyscallConn()
	return err == nil && takesKept("", "", raw) != nil
}

// takesKept says that a socket has a descriptor that is kept. A dialler asks it before it connects, so that those which wait
// for their upstreams take none either.
func takesKept(_, _ string, raw syscall.RawConn) (kept error) {
	_ = raw.Control(func(fd uintptr) {
		limit, known := socket.Descriptors()
		if known && uint64(fd)+1 >= limit-min(mostKept, limit/4) {
			kept = syscall.EMFILE
		}
	})
	return kept
}
