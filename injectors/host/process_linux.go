package host

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"mishap"
	"mishap/internal/target"
)

const (
	sigStop     = unix.SIGSTOP
	sigContinue = unix.SIGCONT
)

func findSite() (site, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return site{}, fmt.Errorf("read boot id: %w", err)
	}
	machine, _ := os.ReadFile("/etc/machine-id")
	namespace, _ := os.Readlink("/proc/self/ns/pid")
	return site{Boot: string(bytes.TrimSpace(boot)), Machine: string(bytes.TrimSpace(machine)), Namespace: namespace}, nil
}

// findProcesses lists what fits, by PID, without kernel threads, and counts
// what would fit but is spared because this program depends on it.
func findProcesses(ctx context.Context, boot string, t processTargets) (found []process, spared int, err error) {
	file := pidFile{}
	if t.PIDFile != "" {
		if file, err = readPIDFile(ctx, t.files, t.PIDFile); err != nil {
			return nil, 0, err
		}
		if t.PID != 0 && file.pid != t.PID {
			return nil, 0, target.None("pidFile %s holds %d, not %d", t.PIDFile, file.pid, t.PID)
		}
		t.PID = file.pid
	}
	pids, err := candidates(t)
	if err != nil {
		return nil, 0, err
	}
	uid, err := userID(t.User)
	if err != nil {
		return nil, 0, err
	}
	own := lineage(boot)
	program, _ := os.Readlink("/proc/self/exe")
	for _, pid := range pids {
		p, err := readProcess(boot, pid)
		if ended := errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH); ended {
			continue
		}
		if err == nil && t.PIDFile != "" {
			err = file.stale(p)
		}
		if err != nil {
			return nil, 0, err
		}
		keeper := p.parent == os.Getpid() && program != "" && p.program == program // it ends the faults
		switch {
		case p.kernel || p.gone() || uid != "" && uid != p.user || !t.fits(p):
		case keeper || slices.Contains(own, pid):
			spared++
		default:
			found = append(found, p)
		}
	}
	slices.SortFunc(found, func(a, b process) int { return cmp.Compare(a.PID, b.PID) })
	return found, spared, nil
}

func candidates(t processTargets) ([]int, error) {
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

// lineage is this process, all that started it, and init, which the kernel
// would not let us stop.
func lineage(boot string) []int {
	pids := []int{1}
	for pid := os.Getpid(); pid > 1; {
		pids = append(pids, pid)
		p, err := readProcess(boot, pid)
		if err != nil {
			break
		}
		pid = p.parent
	}
	return pids
}

func (t processTargets) fits(p process) bool {
	return (t.Name == "" || t.Name == p.comm || t.Name == filepath.Base(p.program)) &&
		(t.Command.Regexp == nil || t.Command.MatchString(p.command))
}

// userID is the number of a user that is given by name or number.
func userID(name string) (string, error) {
	if _, err := strconv.Atoi(name); err == nil || name == "" {
		return name, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return "", target.None("this machine has no user %q", name)
	}
	return u.Uid, nil
}

func readProcess(boot string, pid int) (process, error) {
	folder := fmt.Sprintf("/proc/%d/", pid)
	stat, err := os.ReadFile(folder + "stat")
	if err != nil {
		return process{}, fmt.Errorf("read process: %w", err)
	}
	p := process{identity: identity{Boot: boot, PID: pid}}
	if err := p.parseStat(string(stat)); err != nil {
		return process{}, fmt.Errorf("read process %d: %w", pid, err)
	}
	command, err := os.ReadFile(folder + "cmdline")
	if err != nil {
		return process{}, fmt.Errorf("read process: %w", err)
	}
	p.command = strings.TrimSpace(strings.ReplaceAll(string(command), "\x00", " "))
	// Not readable for everybody; then nobody is matched by it.
	p.program, _ = os.Readlink(folder + "exe")
	p.program = strings.TrimSuffix(p.program, " (deleted)")
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
	const state, parent, flags, start = 0, 1, 6, 19 // fields 3, 4, 9 and 22, counted from 1
	if len(fields) <= start {
		return errors.New("its stat is too short")
	}
	const kernelThread = 0x00200000 // PF_KTHREAD
	bits, bad := strconv.ParseUint(fields[flags], 10, 64)
	p.state, p.kernel = fields[state][0], bits&kernelThread != 0
	var wrong, worse error
	p.parent, wrong = strconv.Atoi(fields[parent])
	p.Start, worse = strconv.ParseUint(fields[start], 10, 64)
	return errors.Join(bad, wrong, worse)
}

// lookUp reads the process, unless it has ended or another has its PID.
func lookUp(id identity) (process, bool, error) {
	here, err := findSite()
	if err != nil {
		return process{}, false, err
	}
	p, err := readProcess(here.Boot, id.PID)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ESRCH):
		return process{}, false, nil
	case err != nil:
		return process{}, false, err
	}
	return p, p.identity == id, nil
}

// sendSignal signals the process and no other, and reads it after that: the
// pidfd is opened first, so that what is then found to be the right process is
// what gets the signal.
func sendSignal(id identity, signal syscall.Signal) (process, bool, error) {
	fd, err := unix.PidfdOpen(id.PID, 0)
	switch {
	case errors.Is(err, unix.ESRCH):
		return process{}, false, nil
	case errors.Is(err, unix.ENOSYS):
		return process{}, false, mishap.WithHint(fmt.Errorf("open process %d: %w", id.PID, err), "faults on processes need Linux 5.3 or later")
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
