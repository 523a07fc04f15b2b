//go:build unix

package ledger_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"mishap/internal/ledger"
)

// What lies where a server's lock would be and is none neither hangs who looks for
// the server nor keeps its runs from being taken over.
func TestWhatNoServerMadeIsNoLivingServer(t *testing.T) {
	const server = "abcdefghijkl"
	for name, put := range map[string]func(folder, path string) error{
		"a pipe":   func(_, path string) error { return syscall.Mkfifo(path, 0o600) },
		"a folder": func(_, path string) error { return os.Mkdir(path, 0o700) },
		"a loop":   func(_, path string) error { return os.Symlink(path, path) },
		"no folder of servers": func(folder, _ string) error {
			return os.Rename(filepath.Join(filepath.Dir(folder), "file"), folder)
		},
		"a link to what somebody else has locked": func(folder, path string) error {
			return os.Symlink(filepath.Join(filepath.Dir(folder), "file"), path)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			folder := filepath.Join(dir, "servers")
			locked, err := os.Create(filepath.Join(dir, "file"))
			must(t, err)
			defer locked.Close()
			must(t, unix.Flock(int(locked.Fd()), unix.LOCK_EX))
			if name != "no folder of servers" {
				must(t, os.Mkdir(folder, 0o700))
			}
			must(t, put(folder, filepath.Join(folder, server+".lock")))
			if alive, err := ledger.Alive(dir, server); alive || err != nil {
				t.Errorf("alive %v, %v", alive, err)
			}
		})
	}
}
