package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"mishap/internal/socket"
)

// flood is many clients that want nothing: each has one connection, and makes
// another one a while after it has lost that.
type flood struct {
	open    atomic.Int64 // connections that are held now
	dialled atomic.Int64 // so far
	stop    chan struct{}
	all     sync.WaitGroup
}

const (
	redial = 10 * time.Second // how long a client waits that was turned away
	drip   = time.Second      // from one byte of a slow client to the next
)

// habits are what such clients do with a connection that they have.
var habits = []func(net.Conn, <-chan struct{}){
	func(net.Conn, <-chan struct{}) {}, // nothing
	func(c net.Conn, stop <-chan struct{}) { // a head that has no end
		trickle(c, "GET /v1/halt HTTP/1.1\r\nHost: 127.0.0.1\r\n", "a", stop)
	},
	func(c net.Conn, stop <-chan struct{}) { // a body that has none
		trickle(c, "PUT /v1/halt HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{", " ", stop)
	},
	func(c net.Conn, _ <-chan struct{}) { // one request, and never another
		fmt.Fprint(c, "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
		if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
		}
	},
	func(c net.Conn, _ <-chan struct{}) { // half a request, and the end
		fmt.Fprint(c, "GET /v1/halt HTTP/1.1\r\nHost")
		if half, ok := c.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
	},
}

// trickle sends a beginning, and then the same again and again, slowly.
func trickle(c net.Conn, begin, again string, stop <-chan struct{}) {
	_, err := io.WriteString(c, begin)
	for err == nil {
		select {
		case <-stop:
			return
		case <-time.After(drip):
			_, err = io.WriteString(c, again)
		}
	}
}

// flooding starts n clients that connect by dial, and gives them.
func flooding(t *testing.T, n int, dial func(client int) (net.Conn, error)) *flood {
	f := &flood{stop: make(chan struct{})}
	for client := range n {
		f.all.Go(func() {
			for {
				if c, err := dial(client); err == nil {
					f.dialled.Add(1)
					f.hold(c, habits[client%len(habits)])
				}
				select {
				case <-f.stop:
					return
				case <-time.After(redial/2 + rand.N(redial)):
				}
			}
		})
	}
	t.Cleanup(f.end)
	return f
}

// hold does what a client does until the server ends it, or the flood is over.
func (f *flood) hold(c net.Conn, habit func(net.Conn, <-chan struct{})) {
	f.open.Add(1)
	defer f.open.Add(-1)
	over := make(chan struct{})
	go func() {
		defer close(over)
		habit(c, f.stop)
		_, _ = io.Copy(io.Discard, c)
	}()
	select {
	case <-over:
	case <-f.stop:
	}
	_ = c.Close()
	<-over
}

func (f *flood) end() {
	select {
	case <-f.stop:
	default:
		close(f.stop)
	}
	f.all.Wait()
}

// overTCP connects from many addresses, half of them from the usual one.
func overTCP(address string) func(int) (net.Conn, error) {
	return func(client int) (net.Conn, error) {
		from := net.IPv4(127, 0, 0, 1)
		if client%2 == 1 {
			from = net.IPv4(127, 0, 1, byte(client%100+1))
		}
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}, Timeout: 10 * time.Second}
		return d.Dial("tcp", address)
	}
}

// overTLS is overTCP, of which every other client never shakes hands.
func overTLS(address string) func(int) (net.Conn, error) {
	dial := overTCP(address)
	return func(client int) (net.Conn, error) {
		c, err := dial(client)
		if err != nil || client%4 < 2 {
			return c, err
		}
		return tls.Client(c, &tls.Config{InsecureSkipVerify: true}), nil
	}
}

// overUnix connects to a unix socket.
func overUnix(path string) func(int) (net.Conn, error) {
	return func(int) (net.Conn, error) {
		if strings.HasPrefix(path, "@") {
			return net.DialTimeout("unix", path, 10*time.Second)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		return socket.Dial(ctx, path)
	}
}

// abstract lists the names in the abstract namespace that begin so.
func abstract(begin string) (all []string) {
	text, _ := os.ReadFile("/proc/net/unix")
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if name := fields[len(fields)-1]; strings.HasPrefix(name, begin) && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// descriptors counts those that a process has open.
func descriptors(pid int) int {
	all, _ := os.ReadDir(filepath.Join("/proc", fmt.Sprint(pid), "fd"))
	return len(all)
}

// roomFor is how many clients each of so many doors may have, within what this
// process may open.
func roomFor(doors int) int {
	var limit syscall.Rlimit
	_ = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) // of 0 there is no room
	return max(0, int(limit.Cur)-1000) / doors
}
