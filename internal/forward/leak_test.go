package forward_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"mishap/internal/forward"
	"mishap/internal/nettest"
)

// ours counts the goroutines that are in this package's code.
func ours() int {
	buf := make([]byte, 4<<20)
	n := 0
	for g := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(g, "internal/forward.(*") {
			n++
		}
	}
	return n
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("this system does not list descriptors")
	}
	return len(list)
}

// TestNothingIsLeftBehind ends connections in many ways and in many places, with faults that come and go.
func TestNothingIsLeftBehind(t *testing.T) {
	before := descriptors(t)
	func() {
		ends := map[string]string{
			"kept":    head("GET / HTTP/1.1", "Host: a"),
			"sending": head("POST / HTTP/1.1", "Host: a", "Content-Length: 100") + "some",
			"bad":     "GET / HTTP/1.1\nHost: a",
			"chunks":  head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + "zz\r\n",
			"upgrade": head("GET /up HTTP/1.1", "Host: a", "Connection: Upgrade", "Upgrade: x"),
			"gone":    head("GET /gone HTTP/1.1", "Host: a"),
			"cut":     head("GET /cut HTTP/1.1", "Host: a"),
			"preface": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
			"nothing": "",
		}
		addr := nettest.Serve(t, func(c *net.TCPConn) {
			for in := bufio.NewReader(c); ; {
				req, err := http.ReadRequest(in)
				if err != nil {
					return
				}
				switch req.URL.Path {
				case "/gone":
					return
				case "/cut":
					_, _ = io.WriteString(c, head("HTTP/1.1 200 OK", "Content-Length: 9")+"x")
					return
				case "/up":
					_, _ = io.WriteString(c, head("HTTP/1.1 101 X", "Connection: upgrade", "Upgrade: x"))
					_, _ = io.Copy(c, in)
					return
				}
				_, _ = io.Copy(io.Discard, req.Body)
				_, _ = io.WriteString(c, okAnswer)
			}
		})
		r := start(t, addr)
		var all sync.WaitGroup
		for _, request := range ends {
			for i := range 8 {
				all.Go(func() {
					c := r.dial()
					defer c.Close()
					_, _ = io.WriteString(c, request)
					if i%2 == 0 {
						_ = c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
						_, _ = io.ReadAll(c)
					}
					if i%4 < 2 {
						_ = c.SetLinger(0)
					}
				})
			}
		}
		for i := range 20 {
			f := r.put(forward.Rule{Before: constant(time.Millisecond * time.Duration(i)), After: constant(time.Millisecond), Rate: 1})
			runtime.Gosched()
			r.board.Remove(f)
		}
		all.Wait()
		r.stop()
	}()
	eventually(t, "all goroutines of the package have ended", func() bool { return ours() == 0 })
	// The listener of the upstream stays, and the pipes that splice has used do until they are collected.
	eventually(t, "all descriptors are closed", func() bool {
		runtime.GC()
		return descriptors(t) <= before+10
	})
}
