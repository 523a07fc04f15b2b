package main

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// inside runs a test again in namespaces of its own, as their root: a network
// namespace is a host of its own to the servers of mishap, what is mounted is
// mounted for them alone, and with a PID namespace ends all that is in it. It
// reports whether this is the inside.
func inside(t *testing.T, namespaces uintptr) bool {
	t.Helper()
	if os.Getenv("MISHAP_TEST_INSIDE") == t.Name() {
		ownMounts(t, namespaces)
		return true
	}
	self := exec.Command("/proc/self/exe", "-test.run=^"+strings.ReplaceAll(t.Name(), "/", "$/^")+"$", "-test.v", "-test.parallel=16", "-test.timeout=0")
	self.Env = append(os.Environ(), "MISHAP_TEST_INSIDE="+t.Name())
	self.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces, Pdeathsig: syscall.SIGKILL}
	if uid, gid := os.Getuid(), os.Getgid(); uid != 0 {
		self.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		self.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		self.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: gid, Size: 1}}
	}
	var out lines
	self.Stdout, self.Stderr = &out, &out
	if err := startLocked(self); err != nil {
		t.Skipf("NOT TESTED: this system lets the test make no namespaces: %v", err)
	}
	err := self.Wait()
	switch said := out.String(); {
	case err != nil:
		t.Fatalf("%v\n%s", err, said)
	case strings.Contains(said, "NOT TESTED"):
		t.Skip(said)
	case testing.Verbose():
		t.Log(said)
	}
	return false
}

// ownMounts keeps what is mounted here from others, and shows the processes that
// are here.
func ownMounts(t *testing.T, namespaces uintptr) {
	t.Helper()
	var err error
	if namespaces&syscall.CLONE_NEWNS != 0 {
		err = syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
	}
	if err == nil && namespaces&syscall.CLONE_NEWPID != 0 {
		err = syscall.Mount("proc", "/proc", "proc", 0, "")
	}
	if err != nil {
		t.Skipf("NOT TESTED: this system lets the test mount nothing: %v", err)
	}
}
