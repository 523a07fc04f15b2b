package toxiproxy_test

import (
	"errors"
	"fmt"
	"io"
	"mishap/internal/nettest"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// In these tests a call that hangs waits for a client that stalls until the test is over, so that it never comes back: the
// time limit of the test's program then tells where it hangs. How long calls take says nothing, since machines are busy.

func TestNoCallWaitsForAClientThatStalls(t *testing.T) {
	const rounds = 100
	r := start(t)
	address := r.proxied("bulk", nettest.Serve(t, flood))
	stalled := dial(t, address) // never reads
	_, _ = io.ReadFull(stalled, make([]byte, 1))
	kinds := []string{`"latency", "attributes": {"latency": 1000}`, `"bandwidth", "attributes": {"rate": 1}`, `"slow_close", "attributes": {"delay": 1000}`,
		`"slicer", "attributes": {"average_size": 10, "delay": 100}`, `"noop"`, `"latency", "stream": "upstream", "attributes": {"latency": 1000}`}
	for i := range rounds {
		r.toxic("bulk", `{"name": "t", "type": `+kinds[i%len(kinds)]+`}`)
		r.ok("PATCH", "/proxies/bulk/toxics/t", `{"toxicity": 0.99}`)
		r.ok("GET", "/proxies", "")
		r.ok("DELETE", "/proxies/bulk/toxics/t", "")
	}
	for range rounds {
		r.ok("POST", "/proxies/bulk", `{"enabled": false}`)
		r.ok("POST", "/reset", "")
		_, _ = io.ReadFull(dial(t, address), make([]byte, 1)) // another that stalls
	}
	r.ok("DELETE", "/proxies/bulk", "")
	r.stop()
}

func TestRemovingRightAfterBulkClientsLeaveNeverHangs(t *testing.T) {
	const rounds, clients = 100, 5
	r := start(t)
	address := r.proxied("bulk", nettest.Serve(t, flood))
	for range rounds {
		r.toxic("bulk", `{"name": "t", "type": "latency", "attributes": {"latency": 10}}`)
		var conns []net.Conn
		for range clients {
			c := dial(t, address)
			_, _ = io.ReadFull(c, make([]byte, 100))
			conns = append(conns, c)
		}
		for _, c := range conns {
			c.Close()
		}
		r.ok("DELETE", "/proxies/bulk/toxics/t", "")
	}
	eventually(t, "all connections are over", func() bool {
		list, err := r.control.Proxies(t.Context())
		return err == nil && list[0].Open == 0
	})
}

// Who waits for a dial waits for 10 s, every time. On a machine that is busy calls take long now and then.
func TestAnUpstreamThatDoesNotAnswerHoldsUpNoCall(t *testing.T) {
	for range 5 {
		took, plain := besideDials(t)
		t.Logf("two calls took %v, another %v", took, plain)
		if took < 5*time.Second || took < 20*plain {
			return
		}
	}
	t.Error("calls waited for dials")
}

// besideDials says how long two calls on a proxy took that dials in vain, and one on another.
func besideDials(t *testing.T) (took, plain time.Duration) {
	r := start(t)
	address := r.proxied("dead", full(t))
	for range 10 {
		dial(t, address)
	}
	eventually(t, "the proxy dials for all", func() bool {
		list, err := r.control.Proxies(t.Context())
		return err == nil && list[0].Open == 10
	})
	begin := time.Now()
	r.ok("POST", "/proxies/dead", `{"enabled": false}`)
	r.ok("DELETE", "/proxies/dead", "")
	took = time.Since(begin)
	r.proxied("other", "127.0.0.1:1")
	plain = time.Since(begin) - took
	r.stop()
	return took, plain
}

// full gives the address of a listener that takes no more connections, so that to connect to it hangs.
func full(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprint("127.0.0.1:", name.(*syscall.SockaddrInet4).Port)
	for range 10 {
		c, err := net.DialTimeout("tcp", address, 200*time.Millisecond)
		if err != nil {
			return address
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Skip("SKIPPED: this system's queue of connections cannot be filled")
	return ""
}

func TestACallerThatStallsHoldsUpNobody(t *testing.T) {
	r := start(t)
	r.proxied("web", nettest.Serve(t, nettest.Echo))
	var stalled []net.Conn
	for range 20 {
		c := dial(t, r.address)
		stalled = append(stalled, c)
		_, _ = io.WriteString(c, "POST /proxies/web HTTP/1.1\r\nHost: "+r.address+"\r\nContent-Length: 100\r\n\r\n{")
	}
	r.ok("POST", "/proxies/web", `{"enabled": true}`)
	for _, c := range stalled {
		_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("the call came back after a caller that stalls had been given up: %v", err)
		}
	}
}

func TestNothingIsLeftOfProxiesThatCameAndWent(t *testing.T) {
	r := start(t)
	up := nettest.Serve(t, nettest.Echo)
	r.ok("GET", "/proxies", "")
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	before := runtime.NumGoroutine()
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			name := fmt.Sprint("p", i%10) // several want the same name
			status, _ := r.call("POST", "/proxies", `{"name": "`+name+`", "listen": "127.0.0.1:0", "upstream": "`+up+`"}`)
			if status != 201 && status != 409 {
				t.Errorf("create: %d", status)
			}
			r.call("POST", "/proxies/"+name+"/toxics", `{"type": "latency", "attributes": {"latency": 5}}`)
			r.call("POST", "/proxies/"+name, `{"upstream": "127.0.0.1:1"}`)
			r.call("POST", "/reset", "")
			r.call("DELETE", "/proxies/"+name, "")
		})
	}
	all.Wait()
	for i := range 10 {
		r.call("DELETE", fmt.Sprint("/proxies/p", i), "")
	}
	if list, err := r.control.Proxies(t.Context()); err != nil || len(list) != 0 {
		t.Fatal(list, err)
	}
	eventually(t, "no goroutine is left", func() bool {
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		return runtime.NumGoroutine() <= before
	})
}
