//go:build unix

package outside_test

import (
	"path/filepath"
	"syscall"
	"testing"

	"mishap/internal/outside"
	"mishap/internal/usestest"
)

// Opening some devices does something: a watchdog then waits for signs of life.
func TestADeviceOrPipeIsNotEvenOpened(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	usestest.Check(t, usestest.Case{Kind: "reader", Work: func() {
		for _, path := range []string{"/dev/zero", pipe} {
			if _, err := outside.Read(t.Context(), path, 10); err == nil {
				t.Errorf("%s was read", path)
			}
		}
	}})
}
