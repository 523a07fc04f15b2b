package stream

import (
	"net"

	"golang.org/x/sys/unix"
)

// tcpClosed says whether the kernel has closed a connection for good, as a reset does. A peer that has only sent its
// end leaves the connection open in our direction.
func tcpClosed(c *net.TCPConn) bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return true
	}
	const closed = 7 // TCP_CLOSE in linux/tcp_states.h
	var info *unix.TCPInfo
	if raw.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) }) != nil {
		return true
	}
	return err == nil && info.State == closed
}
