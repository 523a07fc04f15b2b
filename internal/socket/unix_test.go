package socket_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mishap/internal/socket"
)

// long is a path that no socket can have for a name (108 bytes in unix(7)).
func long(t *testing.T) string {
	return filepath.Join(t.TempDir(), strings.Repeat("long/", 40), "s.sock")
}

func TestASocketIsReachedByAPathOfAnyLength(t *testing.T) {
	path := long(t)
	l, err := socket.Listen(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	met := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			_, err = c.Write([]byte("x"))
			_ = c.Close()
		}
		met <- err
	}()
	c, err := socket.Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if n, err := c.Read(make([]byte, 1)); n != 1 {
		t.Fatal(err)
	}
	if err := <-met; err != nil {
		t.Error(err)
	}
}

func TestASocketIsForItsUserAloneAndGoesWithItsListener(t *testing.T) {
	for _, path := range []string{filepath.Join(t.TempDir(), "s.sock"), long(t)} {
		l, err := socket.Listen(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err == nil && info.Mode().Perm() != 0o600 {
			t.Errorf("its mode is %s", info.Mode())
		}
		_ = l.Close()
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", path, err)
		}
		again, err := socket.Listen(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close() // of whom the path is no more
		c, err := socket.Dial(t.Context(), path)
		if err != nil {
			t.Error("closing the listener twice took the next one's socket:", err)
		} else {
			_ = c.Close()
		}
		_ = again.Close()
	}
}

func TestASocketWhoseNameIsTooLongIsRefusedInASentence(t *testing.T) {
	_, err := socket.Listen(t.Context(), filepath.Join(t.TempDir(), strings.Repeat("n", 120)))
	if err == nil || !strings.Contains(err.Error(), "too long for a socket") {
		t.Error(err)
	}
}

// Descriptors that name a folder for a while do not stay open.
func TestALongPathKeepsNoDescriptor(t *testing.T) {
	before := opened(t)
	path := long(t)
	for range 20 {
		l, err := socket.Listen(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if c, err := socket.Dial(t.Context(), path); err == nil {
			_ = c.Close()
		}
		_ = l.Close()
		if _, err := socket.Dial(t.Context(), path); err == nil {
			t.Fatal("somebody answers")
		}
	}
	if now := opened(t); now > before+10 {
		t.Errorf("%d descriptors were open, and %d are", before, now)
	}
}

func opened(t *testing.T) int {
	all, err := os.ReadDir("/dev/fd")
	if err != nil {
		t.Skip("NOT TESTED: this system does not list descriptors")
	}
	return len(all)
}
