package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"mishap/internal/socket"
)

// ownSocket is a unix socket that one living process owns. A lock on a file beside it, which the kernel drops when the
// process dies, tells a stale socket from a live one.
type ownSocket struct {
	net.Listener
	path string
	lock *os.File
}

// listenUnix takes the path. It replaces the socket of a dead process, and nothing else.
func listenUnix(ctx context.Context, path string) (*ownSocket, error) {
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock of control socket: %w", err)
	}
	s := &ownSocket{path: path, lock: lock}
	if err := s.take(ctx); err != nil {
		_ = lock.Close()
		return nil, err
	}
	return s, nil
}

func (s *ownSocket) take(ctx context.Context) error {
	if err := unix.Flock(int(s.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("control socket %s belongs to a running proxy: stop that one, or set another control path: %w",
			s.path, err)
	}
	if err := removeStale(ctx, s.path); err != nil {
		return err
	}
	l, err := socket.Listen(ctx, s.path)
	if err != nil {
		return fmt.Errorf("use a path in a writable directory for the control socket: %w", err)
	}
	s.Listener = l
	return nil
}

// removeStale removes a socket that nobody answers on.
func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at control socket: %w", err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("control path %s is not a socket: remove the file, or set another control path", path)
	}
	conn, err := socket.Dial(ctx, path)
	if err == nil {
		_ = conn.Close()
		return fmt.Errorf("control socket %s belongs to another running program: set another control path", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("look at control socket: %w", err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove stale control socket: %w", err)
	}
	return nil
}

// release removes the socket, if it is still there, and then the claim to it. The lock file stays: to remove it would
// let two processes lock two files of one name.
func (s *ownSocket) release() {
	_ = s.Close()
	_ = s.lock.Close()
}
