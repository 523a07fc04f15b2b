package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"mishap/internal/freeport"
)

// assault is a folder with a run of five faults: a file, a stopped process, a
// network of its own that does not reach a host, and two proxies.
type assault struct {
	*stage
	proxy, run *started
	control    string      // where the proxies are asked
	pipe       *os.File    // of the run's output
	pid        int         // of the process that is stopped
	network    int         // of a process in the network
	disk       bool        // the state directory is a file system of its own
	frozen     atomic.Bool // the proxy is
}

const fiveFaults = `version: 1
name: five
claim: Nothing breaks.
steadyState:
  - {name: fine, probe: exec, with: {argv: ["true"]}, every: 200ms, unknown: 10 of 20}
faults:
  - {name: stop, injector: process-stop, targets: {pid: %[1]d}, for: 10m}
  - name: flag
    injector: exec
    with: {inject: [touch, flag], revert: [rm, -f, flag], verify: [test, -e, flag], diesWith: boot}
    for: 10m
  - name: net
    injector: exec
    with:
      inject: [nsenter, -t, "%[2]d", -n, ip, route, replace, blackhole, 192.0.2.1]
      revert: {shell: "nsenter -t %[2]d -n ip route del blackhole 192.0.2.1; ! nsenter -t %[2]d -n ip route | grep -q blackhole"}
      verify: {shell: "nsenter -t %[2]d -n ip route | grep -q blackhole"}
      diesWith: namespace
    for: 10m
  - {name: slow, injector: proxy-latency, targets: {proxy: web}, with: {delay: 300ms}, for: 10m}
  - {name: other, injector: %[3]s, targets: {proxy: pay}, with: {%[4]s}, for: 10m}
blastRadius: {targets: 5, share: 100%%}
recovery: {within: 2m, first: 10ms}
`

// after is what runs next.
const after = `version: 1
name: after
claim: Nothing breaks.
steadyState:
  - {name: fine, probe: exec, with: {argv: ["true"]}, every: 200ms, unknown: 10 of 20}
faults:
  - {name: other, injector: exec, with: {inject: [touch, after], revert: [rm, -f, after], verify: [test, -e, after], diesWith: boot}, for: 300ms}
blastRadius: {targets: 1}
recovery: {within: 2m, first: 10ms}
`

func newAssault(t *testing.T) *assault {
	t.Helper()
	s := &assault{stage: newStage(t)}
	holder := exec.Command("sleep", "36000")
	holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if err := holder.Start(); err != nil {
		t.Fatal("make a network namespace:", err)
	}
	t.Cleanup(func() { _ = holder.Process.Kill(); _ = holder.Wait() })
	s.network = holder.Process.Pid
	s.control = freeport.Address()
	settings := "lease: " + proxyLease + "\nproxies:\n"
	for _, name := range []string{"web", "pay"} {
		settings += fmt.Sprintf("  - {name: %s, listen: %q, upstream: %q, control: %q}\n", name, freeport.Address(), freeport.Address(), "tcp://"+s.control)
	}
	s.write("mishap.yaml", settings)
	s.write("after.yaml", after)
	s.fresh()
	return s
}

// fresh gives it a new state directory, on a small disk of its own.
func (s *assault) fresh() {
	s.t.Helper()
	if s.disk {
		_ = syscall.Unmount(s.state(), syscall.MNT_DETACH)
	}
	if err := os.RemoveAll(s.state()); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Mkdir(s.state(), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", s.state(), "tmpfs", 0, "size=12m,mode=700"); err != nil {
		s.t.Fatal("mount a small disk:", err)
	}
	if !s.disk {
		s.t.Cleanup(func() { _ = syscall.Unmount(s.state(), syscall.MNT_DETACH) })
	}
	s.disk = true
}

// alive starts what the round before has ended: the process and the proxies.
func (s *assault) alive() {
	s.t.Helper()
	if s.pid == 0 || ended(s.pid) {
		sleeper := exec.Command("sleep", "36000")
		if err := sleeper.Start(); err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(func() { _ = sleeper.Process.Kill(); _ = sleeper.Wait() })
		s.pid = sleeper.Process.Pid
	}
	if s.proxy == nil || ended(s.proxy.Process.Pid) {
		if s.proxy != nil {
			_ = s.proxy.Wait()
		}
		s.proxy = s.mishap("proxy").begin()
		await(s.t, "the proxies answer", func() bool { _, err := s.faults(); return err == nil })
	}
}

// faults lists what is in force in the proxies.
func (s *assault) faults() ([]string, error) {
	client := http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + s.control + "/v1/faults")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var all []struct {
		State string
		Fault struct{ Kind string }
	}
	text, err := io.ReadAll(resp.Body)
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	var in []string
	for _, f := range all {
		if f.State == "in force" {
			in = append(in, f.Fault.Kind)
		}
	}
	return in, err
}

// in lists the faults that are in. Of a frozen proxy nobody knows, and a dead one
// has none.
func (s *assault) in() []string {
	var all []string
	if s.is("flag") {
		all = append(all, "flag")
	}
	if stateOf(s.pid) == 'T' {
		all = append(all, "stop")
	}
	if routes, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/route", s.network)); err == nil && strings.Contains(string(routes), "010200C0") {
		all = append(all, "net")
	}
	if s.frozen.Load() || ended(s.proxy.Process.Pid) {
		return all
	}
	faults, err := s.faults()
	if err != nil {
		return append(all, err.Error())
	}
	return append(all, faults...)
}

// clean waits until nothing is in force, or an end; it gives how long that took.
func (s *assault) clean(limit time.Duration, end func() bool) (time.Duration, bool) {
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		left := s.in()
		took := time.Since(began)
		if len(left) == 0 {
			return took, true
		}
		if took > limit || end != nil && end() {
			return took, false
		}
	}
}

// begin runs the experiment; its output is a pipe that can be closed.
func (s *assault) begin(b blow) {
	s.t.Helper()
	s.write("five.yaml", fmt.Sprintf(fiveFaults, s.pid, s.network, b.kind, fifth[b.kind]))
	r, w, err := os.Pipe()
	if err != nil {
		s.t.Fatal(err)
	}
	s.run, s.pipe = s.mishap("run", "five.yaml", "-v"), r
	out := &s.run.out
	s.run.Stdout, s.run.Stderr = w, w
	s.run.begin()
	_ = w.Close()
	go func() { _, _ = io.Copy(out, r); _ = r.Close() }()
	if !b.early {
		await(s.t, "all is in", func() bool { return len(s.in()) == 5 || ended(s.run.Process.Pid) })
	}
	time.Sleep(b.moment)
}

// pids are those of a victim now.
func (s *assault) pids(whom string) []int {
	switch whom {
	case "mishap":
		return []int{s.run.Process.Pid}
	case "proxy":
		return []int{s.proxy.Process.Pid}
	case "target":
		return []int{s.pid}
	}
	return s.keepers()
}

// signal sends one to all that a blow hits, mishap first, so that it starts no
// other keeper.
func (s *assault) signal(b blow, sig syscall.Signal) (hit []int) {
	for _, whom := range victims {
		if !b.whom[whom] {
			continue
		}
		for _, pid := range s.pids(whom) {
			if syscall.Kill(pid, sig) == nil {
				hit = append(hit, pid)
			}
		}
	}
	return hit
}

// aside lists what a damaged disk kept from being read, and was set aside.
func (s *assault) aside() []string {
	all, _ := filepath.Glob(s.state("undo", "damaged", "*.jsonl"))
	return slices.DeleteFunc(all, func(path string) bool { _, err := os.Stat(path + ".settled"); return err == nil })
}
