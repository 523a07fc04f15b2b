package host_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mishap"
	"mishap/injectors/host"
)

// sleeper is a process that waits for its end.
func sleeper(t *testing.T) int {
	t.Helper()
	c := exec.Command("sleep", "1000")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end(c) })
	return c.Process.Pid
}

func TestThePidIsTheFirstLineOfAPidFile(t *testing.T) {
	pid := sleeper(t)
	for name, text := range map[string]string{
		"alone":                   "%d",
		"with a line's end":       "%d\n",
		"CRLF":                    "%d\r\n",
		"blanks":                  " \t%d \t\n",
		"of a program in C":       "%d\x00",
		"and a NUL after its end": "%d\n\x00",
		"leading zeros":           "000%d\n",
		"of PostgreSQL":           "%d\n/var/lib/postgresql/15/main\n1700000000\n5432\n/run\n\n",
		"of QLockFile":            "%d\nbrowser\nhost.example\n",
		"and much more":           "%d\n" + strings.Repeat("x", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "pid")
			if err := os.WriteFile(path, fmt.Appendf(nil, text, pid), 0o600); err != nil {
				t.Fatal(err)
			}
			link := path + "-link" // as /var/run is one
			if err := os.Symlink(path, link); err != nil {
				t.Fatal(err)
			}
			for _, file := range []string{path, link} {
				_, found, err := prepared(t, host.Deps{}, fault("process-stop", map[string]any{"pidFile": file}, nil))
				if err != nil || len(found) != 1 || !strings.Contains(found[0].Keys[0].Thing, fmt.Sprintf("/%d/", pid)) {
					t.Errorf("found %+v, %v", found, err)
				}
			}
		})
	}
}

func TestWhatIsNoPidFileIsRefused(t *testing.T) {
	folder := t.TempDir()
	pipe := filepath.Join(folder, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{pipe: "is not a regular file", folder: "is not a regular file", "/dev/zero": "is not a regular file", folder + "/none": "no such file"}
	for i, c := range []struct{ text, want string }{
		{"", "is empty"},
		{"\n1234\n", "holds no process id"},
		{"   ", "holds no process id"},
		{"\x00\x00", "holds no process id"},
		{"12\x0034", "holds no process id"},
		{"sshd 1234", "holds no process id"},
		{"1234 5678", "holds no process id"},
		{"-1234\n", "holds no process id"}, // of PostgreSQL in single-user mode
		{"+1234", "holds no process id"},
		{"0x10", "holds no process id"},
		{"12.0", "holds no process id"},
		{"1_0", "holds no process id"},
		{"١٢", "holds no process id"},
		{"\ufeff12", "holds no process id"},
		{"0", "which is no process id"},
		{"4194305", "which is no process id"},
		{"99999999999999999999", "which is no process id"},
		{strings.Repeat("1", 5000), "which is no process id"},
		{"1", "only mishap itself or what started it"},
		{fmt.Sprint(os.Getpid()), "only mishap itself or what started it"},
	} {
		path := filepath.Join(folder, fmt.Sprint(i))
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		want[path] = c.want
	}
	for path, want := range want {
		_, _, err := prepared(t, host.Deps{}, fault("process-stop", map[string]any{"pidFile": path}, nil))
		if !errors.Is(err, mishap.ErrNoTarget) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

// The number in an old file may be another process's now.
func TestAStalePidFileIsRefusedWithBothTimes(t *testing.T) {
	pid := sleeper(t)
	path := filepath.Join(t.TempDir(), "pid")
	if err := os.WriteFile(path, fmt.Append(nil, pid), 0o600); err != nil {
		t.Fatal(err)
	}
	targets := map[string]any{"pidFile": path}
	if _, found, err := prepared(t, host.Deps{}, fault("process-stop", targets, nil)); err != nil || len(found) != 1 {
		t.Fatalf("found %+v, %v", found, err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	_, _, err := prepared(t, host.Deps{}, fault("process-kill", targets, nil))
	var hinted *mishap.Hinted
	if !errors.Is(err, mishap.ErrNoTarget) || !errors.As(err, &hinted) || !strings.Contains(hinted.Hint, "touch") ||
		!strings.Contains(err.Error(), "was written at "+old.Format("2006-01-02 15:04:05")) || !strings.Contains(err.Error(), "(sleep) began at "+time.Now().Format("2006-01-02 ")) {
		t.Errorf("a stale file: %v", err)
	}
}
