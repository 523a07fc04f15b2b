package forward

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// States of linux/tcp_states.h.
const (
	tcpClosed    = 7 // both ways, as a reset does
	tcpCloseWait = 8 // the peer has sent its end
)

// tcpState is the state of a connection, 0 if it is not known.
func tcpState(c *net.TCPConn) (state uint8) {
	if c == nil {
		return 0
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return tcpClosed
	}
	if raw.Control(func(fd uintptr) { state = stateOf(fd) }) != nil {
		return tcpClosed
	}
	return state
}

func stateOf(fd uintptr) uint8 {
	info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return 0
	}
	return info.State
}

// awaitEnd waits until the peer has sent its end, or the connection is closed, and says which. It reads nothing. A read
// deadline ends it with an error.
func awaitEnd(c *net.TCPConn) (state uint8, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	err = raw.Read(func(fd uintptr) bool {
		state = stateOf(fd)
		return state == tcpCloseWait || state == tcpClosed
	})
	return state, err
}

// hasSomething says whether a read of a socket would not block.
func hasSomething(fd int) bool {
	var b [1]byte
	_, _, err := syscall.Recvfrom(fd, b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return err != syscall.EAGAIN //nolint:errorlint // Recvfrom gives the bare number
}

// unsent is how many bytes of a connection its peer has not taken yet.
func unsent(c *net.TCPConn) (n int) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
	return n
}
