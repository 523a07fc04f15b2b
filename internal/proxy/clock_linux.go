package proxy

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// bootTime is the time since the machine started, counting the time that it slept.
func bootTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return time.Duration(time.Now().UnixNano()) // a kernel without this clock: a lease must end all the same
	}
	return time.Duration(ts.Nano())
}

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
