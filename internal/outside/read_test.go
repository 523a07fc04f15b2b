//go:build unix

package outside_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mishap/internal/outside"
)

func TestAPathFromOutsideNeitherHangsNorFillsMemory(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile(in("file"), []byte("text"), 0o600))
	must(os.WriteFile(in("full"), make([]byte, 100), 0o600))
	must(os.WriteFile(in("over"), make([]byte, 101), 0o600))
	must(os.Truncate(in("over"), 1<<40)) // sparse
	must(os.Symlink(in("file"), in("link")))
	must(os.Symlink("/dev/zero", in("zero")))
	must(syscall.Mkfifo(in("pipe"), 0o600))
	socket, err := net.Listen("unix", in("socket"))
	must(err)
	defer socket.Close()
	for path, want := range map[string]string{
		in("file"): "", in("link"): "", in("full"): "",
		in("over"):   "more than 100",
		in("zero"):   "not a regular file but a device",
		"/dev/zero":  "not a regular file but a device",
		in("pipe"):   "not a regular file but a pipe",
		dir:          "not a regular file but a folder",
		in("socket"): "not a regular file but a socket",
		in("nobody"): "no such file",
	} {
		f, err := outside.Read(t.Context(), path, 100)
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", path, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || f.Text != nil):
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if f, err := outside.Head(t.Context(), in("over"), 100); err != nil || len(f.Text) != 100 {
		t.Errorf("head: %d bytes, %v", len(f.Text), err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := outside.Read(over, in("file"), 100); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Files of /proc say that they have no size.
func TestAFileThatIsLargerThanItSaysIsBounded(t *testing.T) {
	if _, err := os.Stat("/proc/cpuinfo"); err != nil {
		t.Skip("SKIPPED: there is no /proc")
	}
	if _, err := outside.Read(t.Context(), "/proc/cpuinfo", 10); err == nil || !strings.Contains(err.Error(), "more than 10") {
		t.Errorf("%v", err)
	}
}
