package spawn

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// mostLooks bounds how often killMarked looks, where something starts processes faster
// than they are killed.
const mostLooks = 100

// killMarked kills every process of this user, or as root of all, that began with the
// mark in its environment, until a look finds no other one. A process inherits its
// environment, whatever session or parent it has; only one that was started without it
// is not found.
func killMarked(mark string) {
	if mark == "" {
		return
	}
	mark = markedBy + mark
	killed := map[int]bool{}
	for range mostLooks {
		found := false
		for _, pid := range running() {
			if !killed[pid] && marked(pid, mark) && killIf(pid, mark) {
				killed[pid], found = true, true
			}
		}
		if !found {
			return
		}
	}
}

// running lists the processes.
func running() []int {
	names, _ := filepath.Glob("/proc/[1-9]*") // its error is a bad pattern
	var all []int
	for _, name := range names {
		if pid, err := strconv.Atoi(filepath.Base(name)); err == nil {
			all = append(all, pid)
		}
	}
	return all
}

// marked reports whether a process has the mark; of another user's nobody knows.
func marked(pid int, mark string) bool {
	env, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	return err == nil && bytes.Contains(env, []byte(mark))
}

// killIf kills a process if it still has the mark once it cannot be another one.
func killIf(pid int, mark string) bool {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return marked(pid, mark) && unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) == nil
}
