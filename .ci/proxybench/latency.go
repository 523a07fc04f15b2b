package main

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// openLoop sends small messages at a steady rate over some connections in turn, whether answers come or not, and gives
// the round trips after a warm-up, sorted. It is one thread with epoll and a timerfd, so that no scheduler but the kernel's
// is part of what it measures.
func openLoop(at string, conns, rate int, warm, window time.Duration) ([]time.Duration, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	l, err := newLoad(at, conns, time.Second/time.Duration(rate))
	if err != nil {
		return nil, err
	}
	defer l.close()
	total := int((warm + window) * time.Duration(rate) / time.Second)
	l.skip = int(warm * time.Duration(rate) / time.Second)
	if err := l.run(total); err != nil {
		return nil, err
	}
	slices.Sort(l.trips)
	return l.trips, nil
}

// load is an open loop under way.
type load struct {
	poll, timer int
	fds         []int
	begin       time.Duration
	gap         time.Duration
	sent, got   int
	skip        int // messages of the warm-up
	partial     map[int][]byte
	trips       []time.Duration
}

func newLoad(at string, conns int, gap time.Duration) (*load, error) {
	l := &load{gap: gap, partial: map[int][]byte{}}
	var err error
	if l.poll, err = unix.EpollCreate1(0); err != nil {
		return nil, err
	}
	if l.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK); err != nil {
		return nil, err
	}
	watch(l.poll, l.timer)
	for range conns {
		fd, err := dialRaw(at)
		if err != nil {
			l.close()
			return nil, err
		}
		l.fds = append(l.fds, fd)
		_ = unix.SetNonblock(fd, true)
		watch(l.poll, fd)
	}
	return l, nil
}

func (l *load) close() {
	for _, fd := range l.fds {
		reset(fd)
	}
	_ = unix.Close(l.timer)
	_ = unix.Close(l.poll)
}

// run sends and receives until every message has come back.
func (l *load) run(total int) error {
	l.begin = monotonic() + time.Millisecond
	events := make([]unix.EpollEvent, 256)
	l.arm()
	for l.got < total {
		n, err := unix.EpollWait(l.poll, events, int(patience.Milliseconds()))
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return err
		case n == 0:
			return fmt.Errorf("%d of %d messages have not come back", l.sent-l.got, l.sent)
		}
		for _, e := range events[:n] {
			if int(e.Fd) == l.timer {
				err = l.send(total)
			} else {
				err = l.receive(int(e.Fd))
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// arm sets the timer to the next message.
func (l *load) arm() {
	next := l.begin + time.Duration(l.sent)*l.gap
	_ = unix.TimerfdSettime(l.timer, unix.TFD_TIMER_ABSTIME, &unix.ItimerSpec{Value: unix.NsecToTimespec(int64(next))}, nil)
}

// send sends what is due. A message carries its number and when it was really sent.
func (l *load) send(total int) error {
	var message [messageSize]byte
	_, _ = unix.Read(l.timer, message[:8])
	for l.sent < total && l.begin+time.Duration(l.sent)*l.gap <= monotonic() {
		binary.LittleEndian.PutUint64(message[:], uint64(l.sent))
		binary.LittleEndian.PutUint64(message[8:], uint64(monotonic()))
		if _, err := unix.Write(l.fds[l.sent%len(l.fds)], message[:]); err != nil {
			return fmt.Errorf("send: %w", err)
		}
		l.sent++
	}
	if l.sent < total {
		l.arm()
	}
	return nil
}

// receive takes in the messages that have come back on a connection.
func (l *load) receive(fd int) error {
	var buf [4096]byte
	n, err := unix.Read(fd, buf[:])
	now := monotonic()
	if err != nil || n == 0 {
		return fmt.Errorf("await echo: %d bytes, %w", n, cmp.Or(err, io.EOF))
	}
	data := append(l.partial[fd], buf[:n]...)
	for ; len(data) >= messageSize; data = data[messageSize:] {
		l.got++
		if binary.LittleEndian.Uint64(data) >= uint64(l.skip) {
			l.trips = append(l.trips, now-time.Duration(binary.LittleEndian.Uint64(data[8:])))
		}
	}
	l.partial[fd] = slices.Clone(data)
	return nil
}

// quantile of sorted durations, in µs.
func quantile(sorted []time.Duration, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return float64(sorted[min(int(q*float64(len(sorted))), len(sorted)-1)].Nanoseconds()) / 1e3
}
