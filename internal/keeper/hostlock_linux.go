package keeper

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"mishap"
)

// lockHost takes a thing for this whole machine, across ledgers and
// users, until it is closed. The lock is a name in the abstract namespace of
// unix sockets (unix(7)): the kernel frees it with its process, and it leaves
// no file behind. Like that namespace it is one per network namespace.
func lockHost(thing string) (io.Closer, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", thing, err)
	}
	err = unix.Bind(fd, &unix.SockaddrUnix{Name: fmt.Sprintf("@mishap/%x", sha256.Sum256([]byte(thing)))})
	if err == nil {
		return os.NewFile(uintptr(fd), "lock of "+thing), nil
	}
	_ = unix.Close(fd)
	if errors.Is(err, unix.EADDRINUSE) {
		return nil, fmt.Errorf("%w: another mishap on this machine, with a ledger of its own, changes %s", mishap.ErrTaken, thing)
	}
	return nil, fmt.Errorf("lock %s: %w", thing, err)
}
