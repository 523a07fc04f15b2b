package toxiproxy_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// quick is how long a call may take on a machine that is busy; Toxiproxy's waits for as long as a client stalls.
const quick = 5 * time.Second

// promptly fails a call that took long.
func promptly(t *testing.T, what string, do func()) {
	t.Helper()
	begin := time.Now()
	do()
	if took := time.Since(begin); took > quick {
		t.Fatalf("%s took %v", what, took)
	}
}

func TestNoCallWaitsForAClientThatStalls(t *testing.T) {
	const rounds = 100
	r := start(t)
	address := r.proxied("bulk", upstream(t, flood))
	stalled := dial(t, address) // never reads
	_, _ = io.ReadFull(stalled, make([]byte, 1))
	kinds := []string{`"latency", "attributes": {"latency": 1000}`, `"bandwidth", "attributes": {"rate": 1}`, `"slow_close", "attributes": {"delay": 1000}`,
		`"slicer", "attributes": {"average_size": 10, "delay": 100}`, `"noop"`, `"latency", "stream": "upstream", "attributes": {"latency": 1000}`}
	for i := range rounds {
		promptly(t, fmt.Sprint("round ", i), func() {
			r.toxic("bulk", `{"name": "t", "type": `+kinds[i%len(kinds)]+`}`)
			r.ok("PATCH", "/proxies/bulk/toxics/t", `{"toxicity": 0.99}`)
			r.ok("GET", "/proxies", "")
			r.ok("DELETE", "/proxies/bulk/toxics/t", "")
		})
	}
	for i := range rounds {
		promptly(t, fmt.Sprint("disable, enable and reset, round ", i), func() {
			r.ok("POST", "/proxies/bulk", `{"enabled": false}`)
			r.ok("POST", "/reset", "")
			_, _ = io.ReadFull(dial(t, address), make([]byte, 1)) // another that stalls
		})
	}
	promptly(t, "remove", func() { r.ok("DELETE", "/proxies/bulk", "") })
	promptly(t, "stop", r.stop)
}

func TestRemovingRightAfterBulkClientsLeaveNeverHangs(t *testing.T) {
	const rounds, clients = 100, 5
	r := start(t)
	address := r.proxied("bulk", upstream(t, flood))
	for i := range rounds {
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
		promptly(t, fmt.Sprint("round ", i), func() { r.ok("DELETE", "/proxies/bulk/toxics/t", "") })
	}
	eventually(t, "all connections are over", func() bool {
		list, err := r.control.Proxies(t.Context())
		return err == nil && list[0].Open == 0
	})
}

func TestAnUpstreamThatDoesNotAnswerHoldsUpNoCall(t *testing.T) {
	r := start(t)
	address := r.proxied("dead", full(t))
	for range 10 {
		dial(t, address)
	}
	time.Sleep(100 * time.Millisecond)
	if list, err := r.control.Proxies(t.Context()); err != nil || list[0].Open != 10 {
		t.Fatalf("the upstream is not one that does not answer: %+v, %v", list, err)
	}
	promptly(t, "disable", func() { r.ok("POST", "/proxies/dead", `{"enabled": false}`) })
	promptly(t, "delete", func() { r.ok("DELETE", "/proxies/dead", "") })
	promptly(t, "stop", r.stop)
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
	r.proxied("web", upstream(t, echo))
	for range 20 {
		c := dial(t, r.address)
		_, _ = io.WriteString(c, "POST /proxies/web HTTP/1.1\r\nHost: "+r.address+"\r\nContent-Length: 100\r\n\r\n{")
	}
	for range 20 {
		promptly(t, "a call beside it", func() { r.ok("POST", "/proxies/web", `{"enabled": true}`) })
	}
}

func TestNothingIsLeftOfProxiesThatCameAndWent(t *testing.T) {
	r := start(t)
	up := upstream(t, echo)
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
