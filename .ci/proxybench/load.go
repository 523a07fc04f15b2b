package main

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// errNothing says that a download stood still.
var errNothing = errors.New("no byte came through")

const patience = 5 * time.Second // after which something counts as hanging

// bulk downloads over some connections and gives GB/s and the proxy's CPU seconds per GB, after a warm-up.
func bulk(t *target, conns int, warm, window time.Duration) (rate, cpu float64, err error) {
	var got atomic.Int64
	var all sync.WaitGroup
	defer all.Wait()
	for range conns {
		c, err := net.Dial("tcp", t.at(portBulk))
		if err != nil {
			return 0, 0, err
		}
		defer c.Close()
		all.Go(func() {
			for buf := make([]byte, 256<<10); ; {
				n, err := c.Read(buf)
				got.Add(int64(n))
				if err != nil {
					return
				}
			}
		})
	}
	time.Sleep(warm)
	begin, before, spent := time.Now(), got.Load(), t.cpu()
	time.Sleep(window)
	gigabytes := float64(got.Load()-before) / 1e9
	if gigabytes == 0 {
		return 0, 0, errNothing
	}
	return gigabytes / time.Since(begin).Seconds(), (t.cpu() - spent).Seconds() / gigabytes, nil
}

// requests runs wrk for a second and gives requests per second and the proxy's CPU µs for one.
func (b *bench) requests(t *target, conns int) (rate, cpu float64, err error) {
	spent := t.cpu()
	out, err := exec.Command(b.root+"/usr/bin/wrk", "-t1", "-c"+strconv.Itoa(conns), "-d1s", "http://"+t.at(portHTTP)+"/").CombinedOutput()
	spent = t.cpu() - spent
	if err != nil {
		return 0, 0, fmt.Errorf("wrk: %w: %s", err, out)
	}
	found := regexp.MustCompile(`(?s)(\d+) requests in.*Requests/sec:\s+([\d.]+)`).FindSubmatch(out)
	if found == nil {
		return 0, 0, fmt.Errorf("wrk says %s", out)
	}
	count, _ := strconv.ParseFloat(string(found[1]), 64)
	rate, _ = strconv.ParseFloat(string(found[2]), 64)
	if count == 0 {
		return 0, 0, fmt.Errorf("wrk got no answer: %s", out)
	}
	return rate, float64(spent.Microseconds()) / count, nil
}

// setUps connects, has one message echoed and resets, in 16 threads, and gives connections per second.
func setUps(t *target, window time.Duration) (float64, error) {
	var count atomic.Int64
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	begin := time.Now()
	for range 16 {
		all.Go(func() {
			for time.Since(begin) < window {
				fd, err := dialRaw(t.at(portEcho))
				if err == nil {
					err = echoOnce(fd)
					reset(fd)
				}
				if err != nil {
					failed.Store(&err)
					return
				}
				count.Add(1)
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return float64(count.Load()) / time.Since(begin).Seconds(), nil
}

// dialRaw connects with a plain socket whose calls block, for at most patience.
func dialRaw(at string) (int, error) {
	a, err := net.ResolveTCPAddr("tcp", at)
	if err != nil {
		return 0, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	limit := unix.NsecToTimeval(int64(patience))
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit)
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: a.Port, Addr: [4]byte(a.IP.To4())}); err != nil {
		_ = unix.Close(fd)
		return 0, fmt.Errorf("connect: %w", err)
	}
	return fd, nil
}

// again calls again what a signal has interrupted.
func again(call func(int, []byte) (int, error), fd int, b []byte) (n int, err error) {
	for {
		if n, err = call(fd, b); !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

// echoOnce sends a message and waits for it.
func echoOnce(fd int) error {
	var buf [messageSize]byte
	if _, err := again(unix.Write, fd, buf[:]); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	for n := 0; n < messageSize; {
		m, err := again(unix.Read, fd, buf[:])
		if err != nil {
			return fmt.Errorf("await echo: %w", err)
		}
		if m == 0 {
			return io.ErrUnexpectedEOF
		}
		n += m
	}
	return nil
}

// reset closes with a RST, which leaves no TIME_WAIT.
func reset(fd int) {
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	_ = unix.Close(fd)
}

// overshoot reads paced messages and gives how much later than the delay each came, after a warm-up.
func overshoot(t *target, delay, warm, window time.Duration) (late []time.Duration, err error) {
	fd, err := dialRaw(t.at(portScript))
	if err != nil {
		return nil, err
	}
	defer reset(fd)
	if _, err := unix.Write(fd, []byte("p")); err != nil {
		return nil, err
	}
	buf, have := make([]byte, 1<<20), 0
	for begin := time.Now(); time.Since(begin) < warm+window; {
		n, err := again(unix.Read, fd, buf[have:])
		if err != nil || n == 0 {
			return nil, fmt.Errorf("read paced messages: %d bytes, %w", n, cmp.Or(err, io.EOF))
		}
		now, whole := monotonic(), 0
		for have += n; have-whole >= pacedSize; whole += pacedSize {
			if time.Since(begin) > warm {
				late = append(late, now-time.Duration(binary.LittleEndian.Uint64(buf[whole:]))-delay)
			}
		}
		have = copy(buf, buf[whole:have])
	}
	return late, nil
}

// within calls the control API and says whether it answered in time.
func within(limit time.Duration, call func(context.Context) error) (took time.Duration, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	begin := time.Now()
	err = call(ctx)
	return time.Since(begin), err
}
