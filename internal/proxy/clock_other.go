//go:build !linux

package proxy

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// bootTime is the time since the machine started, counting the time that it slept where the system does.
func bootTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return time.Duration(time.Now().UnixNano()) // a lease must end all the same
	}
	return time.Duration(ts.Nano())
}

// tcpClosed cannot be told here: a reset is then known by the error of the first call that meets it.
func tcpClosed(*net.TCPConn) bool { return false }
