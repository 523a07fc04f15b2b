package keeper

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// preallocate takes room on the disk without changing the file's size. A file
// system that cannot is no reason not to run.
func preallocate(f *os.File, size int64) error {
	err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, size)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return nil
	}
	return err
}

// bootNanos is CLOCK_BOOTTIME in nanoseconds: it goes on while a laptop sleeps.
func bootNanos() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return 0
	}
	return t.Nano()
}
