//go:build !linux

package registry

import (
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
