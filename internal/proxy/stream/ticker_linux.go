package stream

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// timerFD is a timer of the kernel that is waited for like a connection.
type timerFD struct{ file *os.File }

func newTicker() (ticker, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make timer: %w", err)
	}
	return timerFD{os.NewFile(uintptr(fd), "timerfd")}, nil
}

func (t timerFD) set(d time.Duration) {
	raw, err := t.file.SyscallConn()
	if err != nil {
		return // it is closed, and nobody waits
	}
	value := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(max(d, 1)))}
	_ = raw.Control(func(fd uintptr) { _ = unix.TimerfdSettime(int(fd), 0, &value, nil) })
}

func (t timerFD) wait() error {
	_, err := t.file.Read(make([]byte, 8))
	return err
}

func (t timerFD) close() { _ = t.file.Close() }
