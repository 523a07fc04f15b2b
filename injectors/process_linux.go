package injectors

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"mishap"
)

const (
	sigStop     = unix.SIGSTOP
	sigContinue = unix.SIGCONT
	sigKill     = unix.SIGKILL
)

// findProcesses lists what fits, by PID, without kernel threads and this
// process.
func findProcesses(t processTargets) ([]process, error) {
	pids, err := candidates(t)
	if err != nil {
		return nil, err
	}
	var found []process
	for _, pid := range pids {
		p, err := readProcess(pid)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // it has just ended
		}
		if err != nil {
			return nil, err
		}
		if pid != os.Getpid() && !p.gone() && p.command != "" && t.fits(p) {
			found = append(found, p)
		}
	}
	return found, nil
}

func candidates(t processTargets) ([]int, error) {
	if t.PIDFile != "" {
		text, err := os.ReadFile(t.PIDFile)
		if err != nil {
			return nil, noTarget("read pidFile: %v", err)
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil || pid <= 0 || t.PID != 0 && pid != t.PID {
			return nil, noTarget("pidFile %s holds %q", t.PIDFile, bytes.TrimSpace(text))
		}
		return []int{pid}, nil
	}
	if t.PID != 0 {
		return []int{t.PID}, nil
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

func (t processTargets) fits(p process) bool {
	return (t.Name == "" || t.Name == p.comm) &&
		(t.Command.Regexp == nil || t.Command.MatchString(p.command)) &&
		(t.User == "" || t.User == p.user || t.User == userName(p.user))
}

func userName(uid string) string {
	if u, err := user.LookupId(uid); err == nil {
		return u.Username
	}
	return uid
}

func readProcess(pid int) (process, error) {
	folder := fmt.Sprintf("/proc/%d/", pid)
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return process{}, fmt.Errorf("read boot id: %w", err)
	}
	stat, err := os.ReadFile(folder + "stat")
	if err != nil {
		return process{}, fmt.Errorf("read process: %w", err)
	}
	p := process{identity: identity{Boot: string(bytes.TrimSpace(boot)), PID: pid}}
	if err := p.parseStat(string(stat)); err != nil {
		return process{}, fmt.Errorf("read process %d: %w", pid, err)
	}
	command, err := os.ReadFile(folder + "cmdline")
	if err != nil {
		return process{}, fmt.Errorf("read process: %w", err)
	}
	p.command = strings.TrimSpace(strings.ReplaceAll(string(command), "\x00", " "))
	var info unix.Stat_t
	if err := unix.Stat(folder, &info); err == nil {
		p.user = strconv.Itoa(int(info.Uid))
	}
	return p, nil
}

// parseStat reads proc_pid_stat(5). The second field is in parentheses and may
// hold any character, parentheses too.
func (p *process) parseStat(stat string) error {
	open, end := strings.IndexByte(stat, '('), strings.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return errors.New("its stat has no name")
	}
	p.comm = stat[open+1 : end]
	fields := strings.Fields(stat[end+1:])
	const state, start = 0, 19 // fields 3 and 22, counted from 1
	if len(fields) <= start {
		return errors.New("its stat is too short")
	}
	p.state = fields[state][0]
	var err error
	p.Start, err = strconv.ParseUint(fields[start], 10, 64)
	return err
}

// lookUp reads the process, unless it has ended or another has its PID.
func lookUp(id identity) (process, bool, error) {
	p, err := readProcess(id.PID)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ESRCH):
		return process{}, false, nil
	case err != nil:
		return process{}, false, err
	}
	return p, p.identity == id, nil
}

// sendSignal signals the process and no other: the pidfd is opened first, so
// that what is then found to be the right process is what gets the signal.
func sendSignal(id identity, signal unix.Signal) (process, bool, error) {
	fd, err := unix.PidfdOpen(id.PID, 0)
	switch {
	case errors.Is(err, unix.ESRCH):
		return process{}, false, nil
	case err != nil:
		return process{}, false, fmt.Errorf("open process %d: %w", id.PID, err)
	}
	defer unix.Close(fd)
	if _, found, err := lookUp(id); err != nil || !found {
		return process{}, false, err
	}
	switch err := unix.PidfdSendSignal(fd, signal, nil, 0); {
	case errors.Is(err, unix.ESRCH):
		return process{}, false, nil
	case errors.Is(err, unix.EPERM):
		return process{}, false, mishap.WithHint(fmt.Errorf("signal process %d: %w", id.PID, err), "run mishap as the process's user, or with CAP_KILL")
	case err != nil:
		return process{}, false, fmt.Errorf("signal process %d: %w", id.PID, err)
	}
	return lookUp(id)
}
