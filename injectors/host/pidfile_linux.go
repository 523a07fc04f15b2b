package host

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"mishap"
	"mishap/internal/outside"
	"mishap/internal/target"
)

const (
	mostOfPIDFile = 4096    // bytes that are read of a pid file; what matters is in its first line
	highestPID    = 1 << 22 // PID_MAX_LIMIT of a 64-bit kernel
	clockTicks    = 100     // USER_HZ, per second, of all that Go runs on
	pidFileSlack  = 2 * time.Second
)

// pidFile is what a pid file says, and when it was written.
type pidFile struct {
	path    string
	pid     int
	written time.Time
}

// readPIDFile reads the process id in the first line of a file: PostgreSQL,
// QLockFile and others write more lines below it. Blanks around it do not
// matter, nor do NUL bytes that a program in C left behind it.
func readPIDFile(ctx context.Context, files *outside.Files, path string) (pidFile, error) {
	refuse := func(hint, format string, args ...any) (pidFile, error) {
		return pidFile{}, mishap.WithHint(target.None("pidFile %s "+format, append([]any{path}, args...)...), hint)
	}
	file, err := files.Head(ctx, path, mostOfPIDFile)
	if err != nil {
		return pidFile{}, mishap.WithHint(target.None("read pidFile: %v", err), "name the file that the program writes its process id into")
	}
	text := file.Text
	if len(text) == 0 {
		return refuse("its program may be starting, or has ended", "is empty")
	}
	line, _, _ := strings.Cut(string(text), "\n")
	line = strings.Trim(strings.TrimRight(line, "\x00\r \t"), " \t")
	if line == "" || strings.Trim(line, "0123456789") != "" {
		return refuse("its first line must be a number; name the process with pid, name or command instead", "holds no process id: its first line is %.40q", line)
	}
	pid, err := strconv.Atoi(line)
	if err != nil || pid < 1 || pid > highestPID {
		return refuse("process ids are 1 to 4194304", "holds %.40s, which is no process id", line)
	}
	return pidFile{path, pid, file.Written}, nil
}

// stale refuses a process that began after the file was written: the program
// that wrote it is gone, and another has its number now.
func (f pidFile) stale(p process) error {
	began, err := p.began()
	if err != nil {
		return err
	}
	if !f.written.Before(began.Add(-pidFileSlack)) {
		return nil
	}
	const precise = "2006-01-02 15:04:05"
	return mishap.WithHint(
		target.None("pidFile %s was written at %s, but process %d (%s) began at %s: the program that wrote it is gone, and another has its number now",
			f.path, f.written.Format(precise), p.PID, p.comm, began.Format(precise)),
		"remove the file, or start its program again; if it is right after all, touch it, or name the process with pid, name or command")
}

// began is when the process was started, by the clock on the wall.
func (p process) began() (time.Time, error) {
	var sinceBoot unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &sinceBoot); err != nil {
		return time.Time{}, fmt.Errorf("read clock: %w", err)
	}
	start := time.Duration(p.Start) * (time.Second / clockTicks)
	return time.Now().Round(0).Add(start - time.Duration(sinceBoot.Nano())), nil
}
