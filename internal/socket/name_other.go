//go:build !linux

package socket

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// longest is how many bytes the name of a unix socket may have (unix(4)).
const longest = 103

// nameOf is a name of the path that is short enough: in a folder of this user's, whose
// name every process makes of the path in the same way.
func nameOf(path string) (name string, done func(), err error) {
	if len(path) <= longest {
		return path, func() {}, nil
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return "", nil, err
	}
	sum := sha256.Sum256([]byte(filepath.Dir(path)))
	folder := filepath.Join("/tmp", fmt.Sprintf("mishap-%d-%x", os.Getuid(), sum[:6]))
	if name = filepath.Join(folder, filepath.Base(path)); len(name) > longest {
		return "", nil, errors.New("the last part of the path is too long for a socket")
	}
	if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", nil, fmt.Errorf("the path has %d bytes, and a socket's may have %d: choose a shorter one: %w", len(path), longest, err)
	}
	info, err := os.Lstat(folder)
	if err != nil {
		return "", nil, fmt.Errorf("make folder for socket: %w", err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || info.Mode().Perm() != 0o700 || !ok || int(owner.Uid) != os.Getuid() {
		return "", nil, fmt.Errorf("folder for socket %s is not this user's alone", folder)
	}
	return name, func() {}, nil
}
