package keeper

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"mishap"
)

// LockHost takes a thing for this whole machine, across ledgers, users and
// network namespaces, until it is closed or the process ends. The lock is
// flock(2) on a file in a folder of this user, and in that of the target's owner;
// in a container it holds where that folder is mounted (see [LockScope]). An error
// that wraps [mishap.ErrTaken] says whether a living mishap has it, or something
// else, and what to do then.
func LockHost(c Claim) (io.Closer, error) {
	users := []int{os.Geteuid()}
	if owner := ownerOf(c.Thing); !slices.Contains(users, owner) && users[0] == 0 {
		users = append(users, owner)
	}
	var held hostLocks
	for _, uid := range users {
		lock, err := lockFor(uid, c)
		if err != nil {
			return nil, errors.Join(err, held.Close())
		}
		held = append(held, lock)
	}
	return held, nil
}

// ownerOf is who owns what a thing names: the user of a process, else this user.
func ownerOf(thing string) int {
	parts := strings.Split(thing, "/")
	if len(parts) == 4 && parts[0] == "process" {
		var s unix.Stat_t
		if unix.Stat("/proc/"+parts[2], &s) == nil {
			return int(s.Uid)
		}
	}
	return os.Geteuid()
}

// hostLock is one lock file that is held.
type hostLock struct {
	dir, f *os.File
	name   string
}

// Close removes the file while it is still locked, and frees it.
func (l *hostLock) Close() error {
	return errors.Join(unix.Unlinkat(int(l.dir.Fd()), l.name, 0), l.f.Close(), l.dir.Close())
}

// tries is how often a lock is looked at whose holder comes or goes just then,
// and pause the time between.
const (
	tries = 25
	pause = 20 * time.Millisecond
)

func lockFor(uid int, c Claim) (*hostLock, error) {
	dir, err := lockFolder(uid)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("%x.lock", sha256.Sum256([]byte(c.Thing)))
	for n := 1; ; n++ {
		lock, err := tryLock(dir, name, uid, c)
		if err == nil {
			return lock, nil
		}
		if n == tries || !errors.As(err, new(passing)) {
			return nil, errors.Join(err, dir.Close())
		}
		time.Sleep(pause)
	}
}

// passing is a lock that may be another one a moment later.
type passing struct{ error }

// Unwrap gives what stands if it does not pass.
func (p passing) Unwrap() error { return p.error }

// tryLock takes the lock file, which is made if it is not there.
func tryLock(dir *os.File, name string, uid int, c Claim) (*hostLock, error) {
	path := dir.Name() + "/" + name
	fd, err := unix.Openat(int(dir.Fd()), name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err == nil && uid != os.Geteuid() {
		err = unix.Fchown(fd, uid, -1)
	}
	if errors.Is(err, unix.EEXIST) {
		fd, err = unix.Openat(int(dir.Fd()), name, unix.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	}
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil, passing{fmt.Errorf("lock %s: %w", c.Thing, err)}
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.EISDIR), errors.Is(err, unix.ENXIO), errors.Is(err, unix.EACCES):
		return nil, squatted(c, path, "is no lock file of mishap", "remove it")
	case err != nil:
		return nil, fmt.Errorf("lock %s: %w", c.Thing, err)
	}
	f := os.NewFile(uintptr(fd), path)
	if err := holdFile(dir, f, name, uid, c); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &hostLock{dir, f, name}, nil
}

// holdFile checks an open lock file, locks it, and says in it who has it.
func holdFile(dir, f *os.File, name string, uid int, c Claim) error {
	fd := int(f.Fd())
	var s, now unix.Stat_t
	if err := unix.Fstat(fd, &s); err != nil {
		return fmt.Errorf("lock %s: %w", c.Thing, err)
	}
	if s.Nlink == 0 {
		return passing{fmt.Errorf("lock %s: it is just being freed", c.Thing)}
	}
	if s.Mode&unix.S_IFMT != unix.S_IFREG || s.Nlink != 1 {
		return squatted(c, f.Name(), "is no lock file of mishap", "remove it")
	}
	if int(s.Uid) != uid {
		return passing{squatted(c, f.Name(), fmt.Sprintf("belongs to user %d", s.Uid), "remove it")}
	}
	err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return holder(f, s, c)
	}
	if err != nil {
		return fmt.Errorf("lock %s: %w", c.Thing, err)
	}
	if err := unix.Fstatat(int(dir.Fd()), name, &now, unix.AT_SYMLINK_NOFOLLOW); err != nil || now.Ino != s.Ino || now.Dev != s.Dev {
		return passing{fmt.Errorf("lock %s: it is just being freed", c.Thing)}
	}
	if err := f.Truncate(0); err != nil {
		return fmt.Errorf("lock %s: %w", c.Thing, err)
	}
	if _, err := f.WriteAt(c.text(), 0); err != nil {
		return fmt.Errorf("lock %s: %w", c.Thing, err)
	}
	return nil
}

// holder says who has a lock: a living mishap, if what the file says is what the
// kernel says. It may not have written it yet.
func holder(f *os.File, s unix.Stat_t, c Claim) error {
	text := make([]byte, 4096)
	n, _ := f.ReadAt(text, 0)
	var other Claim
	told := json.Unmarshal(text[:n], &other) == nil && other.Thing == c.Thing && other.PID > 0 && other.Run != ""
	pid := kernelHolder(s)
	switch {
	case told && other.Run == c.Run && other.State == c.State:
		return fmt.Errorf("%w: run %s itself has the lock of %s", mishap.ErrTaken, c.Run, c.Thing)
	case told && pid == other.PID:
		return living{fmt.Errorf("%w: another mishap on this machine, with a ledger of its own, changes %s (run %s, process %d, state directory %s)", mishap.ErrTaken, c.Thing, other.Run, pid, other.State)}
	case told && pid == 0:
		return living{fmt.Errorf("%w: another mishap on this machine, with a ledger of its own, changes %s (run %s in another container, state directory %s there)", mishap.ErrTaken, c.Thing, other.Run, other.State)}
	case pid == 0:
		return passing{squatted(c, f.Name(), "is locked by a process that cannot be seen from here and does not say that it is mishap", "end that process")}
	}
	name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return passing{squatted(c, f.Name(), fmt.Sprintf("is locked by process %d (%s), which is no mishap that changes it", pid, strings.TrimSpace(string(name))), "end that process")}
}

// squatted is a lock that no mishap has, and nobody can take.
func squatted(c Claim, path, why, what string) error {
	return fmt.Errorf("%w: the lock of %s cannot be taken: %s %s; %s and run again", mishap.ErrTaken, c.Thing, path, why, what)
}

// kernelHolder is the process that has the lock on a file, from /proc/locks
// (proc_locks(5)); 0 if it is in another pid namespace.
func kernelHolder(s unix.Stat_t) int {
	text, err := os.ReadFile("/proc/locks")
	if err != nil {
		return 0
	}
	file := fmt.Sprintf("%02x:%02x:%d", unix.Major(s.Dev), unix.Minor(s.Dev), s.Ino)
	for line := range strings.Lines(string(text)) {
		var number, kind, mode, access, what string
		var pid int
		if n, _ := fmt.Sscan(line, &number, &kind, &mode, &access, &pid, &what); n == 6 && kind == "FLOCK" && what == file {
			return max(pid, 0)
		}
	}
	return 0
}
