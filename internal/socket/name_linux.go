package socket

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// longest is how many bytes the name of a unix socket may have (unix(7)).
const longest = 107

// nameOf is a name of the path that is short enough, until done: by way of a
// descriptor of its folder. So every process finds the socket where it is.
func nameOf(path string) (name string, done func(), err error) {
	if len(path) <= longest {
		return path, func() {}, nil
	}
	fd, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", nil, &os.PathError{Op: "open", Path: filepath.Dir(path), Err: err}
	}
	done = func() { _ = unix.Close(fd) }
	folder := fmt.Sprintf("/proc/self/fd/%d", fd)
	name = filepath.Join(folder, filepath.Base(path))
	if _, err = os.Stat(folder); err == nil && len(name) > longest {
		err = errors.New("the last part of the path is too long for a socket")
	} else if err != nil {
		err = fmt.Errorf("the path has %d bytes, and without /proc a socket's may have %d: choose a shorter one: %w", len(path), longest, err)
	}
	if err != nil {
		done()
		return "", nil, err
	}
	return name, done, nil
}
