package spawn_test

import (
	"regexp"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"mishap/internal/spawn"
)

func TestACommandBeginsWithNoSignalBlocked(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before unix.Sigset_t
	blocked := unix.Sigset_t{Val: [16]uint64{1 << (syscall.SIGTERM - 1)}}
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &blocked, &before); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil) }()
	command := spawn.Command("cat", "/proc/self/status")
	command.OwnGroup()
	command.EndsWithUs()
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := regexp.MustCompile(`(?m)^SigBlk:\s*0+$`).Find(out); got == nil {
		t.Errorf("it blocks: %s", regexp.MustCompile(`SigBlk:.*`).Find(out))
	}
	var now unix.Sigset_t
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, nil, &now); err != nil || now.Val[0]&blocked.Val[0] == 0 {
		t.Errorf("the thread does not block any more what it did (%v)", err)
	}
}
