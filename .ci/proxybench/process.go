package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a server under test, with its children.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
	log   string
}

// startProcess starts a program in a process group of its own, so that its workers die with it.
func startProcess(dir, name, program string, args ...string) (*process, error) {
	log, err := os.Create(filepath.Join(dir, name+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p := &process{cmd: exec.Command(program, args...), ended: make(chan struct{}), log: log.Name()}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, log, log
	p.cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GODEBUG=") }) // ours alone
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// kill ends the process and its children at once, and waits for all: until they are gone their ports are taken. This
// process is the first of its namespace, so it inherits the children.
func (p *process) kill() {
	group := -p.cmd.Process.Pid
	_ = unix.Kill(group, unix.SIGKILL)
	<-p.ended
	for {
		if _, err := unix.Wait4(group, nil, 0, nil); err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// terminate lets the process end by itself, which one with a profile needs to.
func (p *process) terminate() {
	_ = p.cmd.Process.Signal(unix.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(5 * time.Second):
	}
	p.kill()
}

// pids are the process and its children.
func (p *process) pids() []int {
	pid := p.cmd.Process.Pid
	list := []int{pid}
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for field := range strings.FieldsSeq(string(children)) {
		if n, err := strconv.Atoi(field); err == nil {
			list = append(list, n)
		}
	}
	return list
}

// cpu is the time on a core of all threads, living or not. The clock of a process counts nanoseconds; /proc counts
// hundredths of a second.
func (p *process) cpu() (sum time.Duration) {
	for _, pid := range p.pids() {
		const scheduled = 2 // CPUCLOCK_SCHED in linux/posix-timers_types.h
		var ts unix.Timespec
		if unix.ClockGettime(int32(^pid<<3|scheduled), &ts) == nil {
			sum += time.Duration(ts.Nano())
		}
	}
	return sum
}

// rss is the resident memory in KiB.
func (p *process) rss() (sum float64) {
	for _, pid := range p.pids() {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		for line := range strings.Lines(string(status)) {
			if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
				n, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
				sum += n
			}
		}
	}
	return sum
}

// files is how many file descriptors are open.
func (p *process) files() (sum int) {
	for _, pid := range p.pids() {
		list, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		sum += len(list)
	}
	return sum
}

// schedule puts all threads of a process into a scheduling class; threads to come inherit it.
func schedule(pid int, class uint32, priority uint32) error {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return err
	}
	for _, task := range tasks {
		tid, _ := strconv.Atoi(task.Name())
		if err := unix.SchedSetAttr(tid, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: class, Priority: priority}, 0); err != nil {
			return err
		}
	}
	return nil
}

// hurry puts the target, the upstream and this process before all others, and gives the way back. Accuracy cannot be
// measured where whoever else is on the machine decides when a thread runs; these experiments need little of a core.
func (b *bench) hurry(t *target) func() {
	pids := append(b.upstream.pids(), os.Getpid())
	if t.process != nil {
		pids = append(pids, t.process.pids()...)
	}
	const roundRobin = 2 // SCHED_RR
	for _, pid := range pids {
		if err := schedule(pid, roundRobin, 10); err != nil {
			fmt.Fprintln(os.Stderr, "not in SCHED_RR:", err)
			b.realtime = false
			break
		}
	}
	return func() {
		for _, pid := range pids {
			_ = schedule(pid, 0, 0)
		}
	}
}

// awaitPort waits until a server listens.
func awaitPort(port int) error {
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		c, err := net.DialTimeout("tcp", address(port), time.Second)
		if err == nil {
			return c.Close()
		}
		if time.Now().After(end) {
			return fmt.Errorf("nothing listens on port %d: %w", port, err)
		}
	}
}

func address(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }
