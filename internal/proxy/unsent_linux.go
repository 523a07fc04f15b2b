package proxy

import (
	"net"

	"golang.org/x/sys/unix"
)

// unsent is how many bytes of a connection its peer has not taken yet.
func unsent(c *net.TCPConn) (n int) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
	return n
}
