package usestest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"mishap/internal/spawn"
)

// folderFromEnv makes this a process that is watched: the folder is where it
// writes its statement.
const folderFromEnv = "MISHAP_USESTEST"

func statementIn(folder string) string { return filepath.Join(folder, "statement") }

// calls are the system calls that are written down: those that start, open and
// connect, and those that change files, which no kind does itself. Those with a
// question mark are not on every architecture.
func calls() string {
	start := "execve execveat"
	open := "?open openat ?openat2 ?creat truncate"
	reach := "connect sendto sendmsg sendmmsg"
	change := "?rename ?renameat renameat2 ?unlink unlinkat ?mkdir mkdirat ?rmdir ?link linkat ?symlink symlinkat ?mknod mknodat " +
		"?chmod fchmodat ?chown ?lchown fchownat mount umount2"
	return strings.Join(strings.Fields(strings.Join([]string{start, open, reach, change}, " ")), ",")
}

// arguments lets strace follow all threads, and leave what is started to itself
// once it was. Texts are written in hexadecimal, whole, and descriptors with their
// paths.
func arguments(log string, program ...string) []string {
	return append([]string{"-f", "-b", "execve", "-y", "-v", "-xx", "-s", "65536", "-e", "signal=none", "-e", "trace=" + calls(), "-o", log}, program...)
}

// rerun runs the running test again, watched, and gives what it said of itself and
// what strace wrote.
func rerun(t *testing.T) (s statement, log []byte) {
	t.Helper()
	if raced {
		t.Skip("what kinds really use is looked at without the race detector")
	}
	strace, err := found()
	if err != nil {
		t.Skipf("SKIPPED: strace cannot run here, so that nobody sees what kinds really use: %v", err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	written := filepath.Join(folder, "log")
	out, err := run(strace, append(os.Environ(), folderFromEnv+"="+folder),
		arguments(written, self, "-test.run="+exactly(t.Name()), "-test.count=1", "-test.timeout="+patience.String())...)
	if err != nil {
		t.Fatalf("run the test again under strace: %v\n%s", err, out)
	}
	text, err := os.ReadFile(statementIn(folder))
	if err != nil {
		t.Fatalf("the test that runs again never got to its work: %v\n%s", err, out)
	}
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	if log, err = os.ReadFile(written); err != nil {
		t.Fatal(err)
	}
	return s, log
}

// patience is how long a test that hangs may hang.
const patience = 2 * time.Minute

// exactly is what selects one test and no other.
func exactly(name string) string {
	parts := strings.Split(name, "/")
	for i, part := range parts {
		parts[i] = "^" + regexp.QuoteMeta(part) + "$"
	}
	return strings.Join(parts, "/")
}

// found is strace, if it may trace here: containers can forbid that.
func found() (string, error) {
	name := os.Getenv("MISHAP_STRACE")
	if name == "" {
		name = "strace"
	}
	path, err := spawn.Find(name, "", os.Getenv("PATH"))
	if err != nil {
		return "", fmt.Errorf("find strace: %w; `make test` gets it, on Debian", err)
	}
	if out, err := run(path, os.Environ(), arguments(os.DevNull, "true")...); err != nil {
		return "", fmt.Errorf("trace a command: %w: %s", err, bytes.TrimSpace(out))
	}
	return path, nil
}

// run runs a command in a group of its own, which ends with us, and gives what it
// said.
func run(program string, environ []string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience+time.Minute)
	defer cancel()
	cmd := spawn.CommandContext(ctx, program, args...)
	cmd.Env = environ
	cmd.EndsWithUs()
	return cmd.CombinedOutput()
}
