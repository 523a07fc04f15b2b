package keeper

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"mishap"
)

// place is where the locks of a user may be: a folder that is there, and what is
// made below it.
type place struct {
	base  string
	below []string
}

func (p place) path() string { return filepath.Join(append([]string{p.base}, p.below...)...) }

// places lists them for a user, best first. They follow from the user alone, and
// not from the environment, so that everybody finds the same.
func places(uid int) []place {
	last := place{"/tmp", []string{fmt.Sprintf("mishap-%d", uid), "locks"}}
	if uid == 0 {
		return []place{{"/run", []string{"mishap", "locks"}}, {"/var/lib", []string{"mishap", "locks"}}, last}
	}
	all := []place{{fmt.Sprintf("/run/user/%d", uid), []string{"mishap", "locks"}}}
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil && u.HomeDir != "" && u.HomeDir != "/" {
		all = append(all, place{u.HomeDir, []string{".local", "state", "mishap", "locks"}})
	}
	return append(all, last)
}

// errNoPlace is a place that this machine does not have, or where nothing can be
// made.
var errNoPlace = errors.New("there is no such place")

// lockFolder opens the folder of a user's locks.
func lockFolder(uid int) (*os.File, error) {
	var tried []string
	for _, p := range places(uid) {
		dir, err := p.open(uid)
		if err == nil || !errors.Is(err, errNoPlace) {
			return dir, err
		}
		tried = append(tried, err.Error())
	}
	return nil, fmt.Errorf("there is no folder for the locks of this machine: %s", strings.Join(tried, "; "))
}

// open makes what is missing and follows no link. What is not the user's, or what
// others may write, is an error that says what to do.
func (p place) open(uid int) (*os.File, error) {
	fd, err := unix.Open(p.base, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", errNoPlace, p.base, err)
	}
	path := p.base
	var s unix.Stat_t
	if err := unix.Fstat(fd, &s); err != nil || p.base != "/tmp" && int(s.Uid) != uid {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("%w: %s belongs to user %d", errNoPlace, p.base, s.Uid)
	}
	for _, name := range p.below {
		path += "/" + name
		next, err := below(fd, name, path, uid)
		_ = unix.Close(fd)
		if err != nil {
			return nil, err
		}
		fd = next
	}
	return os.NewFile(uintptr(fd), path), nil
}

// below opens one folder in another, and makes it if it is not there.
func below(dir int, name, path string, uid int) (int, error) {
	switch err := unix.Mkdirat(dir, name, 0o700); {
	case err == nil && uid != os.Geteuid():
		if err := unix.Fchownat(dir, name, uid, -1, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return 0, fmt.Errorf("%w: give %s to user %d: %w", errNoPlace, path, uid, err)
		}
	case err != nil && !errors.Is(err, unix.EEXIST):
		return 0, fmt.Errorf("%w: make %s: %w", errNoPlace, path, err)
	}
	const remove = "another user may have put it there: remove it and run again"
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("%w: the folder of locks %s cannot be opened (%w); %s", mishap.ErrTaken, path, err, remove)
	}
	var s unix.Stat_t
	ours := name == "mishap" || name == "locks" || filepath.Dir(path) == "/tmp" // what is above them is as its owner likes it
	if err := unix.Fstat(fd, &s); err != nil || int(s.Uid) != uid || ours && s.Mode&0o022 != 0 {
		_ = unix.Close(fd)
		return 0, fmt.Errorf("%w: the folder of locks %s belongs to user %d with mode %04o, and must be user %d's alone to write; %s", mishap.ErrTaken, path, s.Uid, s.Mode&0o7777, uid, remove)
	}
	return fd, nil
}

// LockScope says, in a container, how far the locks of this user reach: as far as
// their folder is mounted. It is empty where they hold for the whole machine.
func LockScope() string {
	const host = "pid:[4026531836]" // PROC_PID_INIT_INO of linux/proc_ns.h
	if ns, err := os.Readlink("/proc/self/ns/pid"); err == nil && ns == host && !contained() {
		return ""
	}
	path := places(os.Geteuid())[0].path()
	if dir, err := lockFolder(os.Geteuid()); err == nil {
		path = dir.Name()
		_ = dir.Close()
	}
	if mount := mountOf(path); mount != "" {
		return fmt.Sprintf("this is a container: that no two runs change the same thing at the same time holds for those that have %s mounted as well, if it is the same folder", mount)
	}
	return fmt.Sprintf("this is a container, and %s of the host is not mounted into it: a run outside may change the same thing at the same time, and neither would know. Mount that folder into all that run mishap", path)
}

// contained reports that what usually marks a container is there.
func contained() bool {
	for _, path := range []string{"/.dockerenv", "/run/.containerenv"} {
		if _, err := os.Stat(path); err == nil {
			return true
		}
	}
	return false
}

// mountOf is the folder of locks, or the one above it, if it is a mount of its own.
func mountOf(path string) string {
	text, _ := os.ReadFile("/proc/self/mountinfo") // proc_pid_mountinfo(5): the fifth field is where
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 4 && (f[4] == path || f[4] == filepath.Dir(path)) {
			return f[4]
		}
	}
	return ""
}
