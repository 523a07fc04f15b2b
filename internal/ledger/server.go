package ledger

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Server is a process that owns runs. Its life is a kernel lock on a file of its
// own, which ends with the process, however that ends.
type Server struct {
	ID   string
	file *os.File
}

// Register makes this process a server of the state directory.
func Register(dir string) (*Server, error) {
	id := strings.ToLower(rand.Text()[:12])
	path := lockPath(dir, id)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("register server: %w", err)
	}
	// Locked before it has its name, so that nobody finds it free.
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("register server: %w", err)
	}
	if err := errors.Join(unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB), os.Rename(path+".new", path)); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("register server: %w", err)
	}
	return &Server{ID: id, file: f}, nil
}

// Close ends the server: its runs may be taken over.
func (s *Server) Close() error {
	return errors.Join(os.Remove(strings.TrimSuffix(s.file.Name(), ".new")), s.file.Close())
}

// Alive reports whether the server's process lives. An error means that it
// cannot be known, and must not be taken for death.
func Alive(dir, server string) (bool, error) {
	// Opening a pipe would wait for its writer, and what a link leads to may be held by anybody.
	f, err := os.OpenFile(lockPath(dir, server), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENXIO):
		return false, nil // no server made what is there, if anything is
	case err != nil:
		return false, fmt.Errorf("look for server %s: %w", server, err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && !info.Mode().IsRegular() {
		return false, nil
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for server %s: %w", server, err)
	}
	return false, nil
}

// Servers lists the servers of a state directory, dead ones too.
func Servers(dir string) ([]string, error) {
	paths, err := filepath.Glob(lockPath(dir, "*"))
	if err != nil {
		return nil, fmt.Errorf("list servers: %w", err)
	}
	for i, p := range paths {
		paths[i] = strings.TrimSuffix(filepath.Base(p), ".lock")
	}
	return paths, nil
}

// Forget removes what a dead server left of itself.
func Forget(dir, server string) {
	if alive, err := Alive(dir, server); err == nil && !alive {
		_ = os.Remove(lockPath(dir, server))
	}
}

// ErrExcluded is a lock that a living process holds.
var ErrExcluded = errors.New("another process holds it")

// Exclude takes a lock on a file, which is made if it is not there, until the
// function is called or the process ends, however that ends. It answers an error
// that wraps [ErrExcluded] if another process has it. The file stays.
func Exclude(path string) (release func() error, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = ErrExcluded
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, errors.Join(err, f.Close()))
	}
	return f.Close, nil
}

func lockPath(dir, server string) string { return filepath.Join(dir, "servers", server+".lock") }
