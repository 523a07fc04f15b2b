package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// The upstream's ports. A proxy listens on each plus behind.
const (
	portEcho    = 7001
	portHTTP    = 7002
	portBulk    = 7003
	portScript  = 7004
	portRefused = 7005 // nobody is there
	behind      = 1000
	portEchoA   = 8011 // proxies to portEcho that faults are put on
	portEchoB   = 8012
)

const (
	messageSize = 64
	pacedSize   = 1448 // what fits into a segment on an Ethernet
	pacedRate   = 40_000
	halfWait    = 100 * time.Millisecond
)

// serveUpstream runs until it is killed. Echo and HTTP are loops on one thread each, so that they cost little and add
// no jitter of a scheduler.
func serveUpstream() error {
	failed := make(chan error, 4)
	go func() { failed <- loop(portEcho, func(in []byte) []byte { return in }) }()
	go func() { failed <- loop(portHTTP, answerHTTP()) }()
	go func() { failed <- accept(portBulk, flood) }()
	var last atomic.Value
	go func() { failed <- accept(portScript, func(c *net.TCPConn) { script(c, &last) }) }()
	return <-failed
}

// answerHTTP answers as many small requests as came in one read.
func answerHTTP() func([]byte) []byte {
	response := []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok")
	return func(in []byte) []byte {
		return bytes.Repeat(response, bytes.Count(in, []byte("\r\n\r\n")))
	}
}

// loop answers what is read on every connection of a port, with epoll.
func loop(port int, answer func([]byte) []byte) error {
	runtime.LockOSThread()
	listener, err := listenRaw(port)
	if err != nil {
		return err
	}
	poll, err := unix.EpollCreate1(0)
	if err != nil {
		return err
	}
	watch(poll, listener)
	events, buf := make([]unix.EpollEvent, 256), make([]byte, 64<<10)
	for {
		n, err := unix.EpollWait(poll, events, -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		for _, e := range events[:max(n, 0)] {
			if int(e.Fd) == listener {
				acceptAll(poll, listener)
				continue
			}
			n, err := unix.Read(int(e.Fd), buf)
			if n > 0 {
				_, err = unix.Write(int(e.Fd), answer(buf[:n]))
			}
			// What does not fit into the socket's buffer is lost: no experiment here sends so much.
			if n == 0 || err != nil && !errors.Is(err, unix.EAGAIN) {
				_ = unix.Close(int(e.Fd))
			}
		}
	}
}

func watch(poll, fd int) {
	_ = unix.EpollCtl(poll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
}

func acceptAll(poll, listener int) {
	for {
		fd, _, err := unix.Accept4(listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		watch(poll, fd)
	}
}

func listenRaw(port int) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: port}); err != nil {
		return 0, err
	}
	return fd, unix.Listen(fd, 4096)
}

// accept handles each connection of a port in a goroutine.
func accept(port int, handle func(*net.TCPConn)) error {
	l, err := net.Listen("tcp4", ":"+strconv.Itoa(port))
	if err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			handle(c.(*net.TCPConn))
		}()
	}
}

// flood writes until the peer is gone, and reads what it sends.
func flood(c *net.TCPConn) {
	go func() { _, _ = io.Copy(io.Discard, c) }()
	for chunk := make([]byte, 256<<10); ; {
		if _, err := c.Write(chunk); err != nil {
			return
		}
	}
}

// script does what the first byte says.
func script(c *net.TCPConn, last *atomic.Value) {
	order := make([]byte, 1)
	if _, err := io.ReadFull(c, order); err != nil {
		return
	}
	switch order[0] {
	case 'h': // answer a while after the client has ended its half
		if _, err := io.Copy(io.Discard, c); err == nil {
			time.Sleep(halfWait)
			_, _ = c.Write([]byte("late"))
		}
	case 'r':
		_, _ = c.Write([]byte("x"))
		time.Sleep(halfWait)
		_ = c.SetLinger(0)
	case 'w': // see how the client ends
		last.Store("")
		_, err := io.Copy(io.Discard, c)
		last.Store(ending(err))
	case 'q':
		s, _ := last.Load().(string)
		_, _ = c.Write([]byte(s))
	case 'p':
		pace(c)
	}
}

// pace writes messages that carry the time at which they are written. It falls behind rather than skip one.
func pace(c *net.TCPConn) {
	runtime.LockOSThread()
	message := make([]byte, pacedSize)
	for begin, sent := time.Now(), 0; ; {
		for due := int(time.Since(begin).Seconds() * pacedRate); sent < due; sent++ {
			binary.LittleEndian.PutUint64(message, uint64(monotonic()))
			if _, err := c.Write(message); err != nil {
				return
			}
		}
		pause := unix.NsecToTimespec(int64(100 * time.Microsecond))
		_ = unix.Nanosleep(&pause, nil)
	}
}

// ending names how a stream ended.
func ending(err error) string {
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return "FIN"
	case errors.Is(err, unix.ECONNRESET), errors.Is(err, unix.EPIPE):
		return "RST"
	default:
		return err.Error()
	}
}

// monotonic is a clock that all processes of a machine share.
func monotonic() time.Duration {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return time.Duration(ts.Nano())
}
