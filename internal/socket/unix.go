// Package socket is how programs speak with mishap: unix sockets whose paths may
// be of any length, and listeners that keep room for whoever comes next.
package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// mode lets only its owner, and root, reach a socket.
const mode = 0o600

// Listen makes a unix socket at a path, for this user alone, and the folder that it
// is in. The socket is removed when the listener is closed.
func Listen(ctx context.Context, path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make folder for socket: %w", err)
	}
	name, done, err := nameOf(path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	defer done()
	// The mode is set before the socket has a name (Linux), and again after (elsewhere).
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) { _ = syscall.Fchmod(int(fd), mode) })
	}}
	l, err := config.Listen(ctx, "unix", name)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // which would go by the name
	if err := os.Chmod(name, mode); err != nil {
		return nil, fmt.Errorf("restrict socket: %w", errors.Join(err, l.Close()))
	}
	return &unixListener{l, sync.OnceFunc(func() { Remove(path) })}, nil
}

// unixListener removes its socket when it is closed.
type unixListener struct {
	net.Listener
	remove func()
}

// Close ends the listener. It may be called again, when the path is another's.
func (l *unixListener) Close() error {
	l.remove()
	return l.Listener.Close()
}

// Dial connects to the unix socket at a path.
func Dial(ctx context.Context, path string) (net.Conn, error) {
	name, done, err := nameOf(path)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", path, err)
	}
	defer done()
	return new(net.Dialer).DialContext(ctx, "unix", name)
}

// Remove removes the socket at a path, if there is one.
func Remove(path string) {
	if name, done, err := nameOf(path); err == nil {
		_ = os.Remove(name)
		done()
	}
}
