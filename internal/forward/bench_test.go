package forward_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"mishap/internal/forward"
)

const benchRequest = "GET /some/path?q=1 HTTP/1.1\r\nHost: bench.example\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"

const benchAnswer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nServer: bench\r\nContent-Length: 12\r\n\r\nHello world\n"

// benchUpstream answers each request at the least cost.
func benchUpstream(b *testing.B) string {
	return upstream(b, func(c *net.TCPConn) {
		buf := make([]byte, 4096)
		for {
			if _, err := c.Read(buf); err != nil {
				return
			}
			if _, err := c.Write([]byte(benchAnswer)); err != nil {
				return
			}
		}
	})
}

// benchLoad asks over 32 kept connections and reports the CPU time of the whole process for a request: load and upstream
// are the same for all, so the differences are the forwarders'.
func benchLoad(b *testing.B, addr string) {
	const clients = 32
	before := cpu()
	var left atomic.Int64
	left.Store(int64(b.N))
	done := make(chan error, clients)
	b.ReportAllocs()
	b.ResetTimer()
	for range clients {
		go func() { done <- benchClient(addr, &left) }()
	}
	for range clients {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	b.ReportMetric(float64((cpu()-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

func benchClient(addr string, left *atomic.Int64) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	r := bufio.NewReader(c)
	for left.Add(-1) >= 0 {
		if _, err := io.WriteString(c, benchRequest); err != nil {
			return err
		}
		for body := 0; body == 0; {
			line, err := r.ReadSlice('\n')
			if err != nil {
				return err
			}
			if len(line) == 2 {
				body, err = r.Discard(12)
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// cpu is the CPU time of the process so far.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkDirect(b *testing.B) { benchLoad(b, benchUpstream(b)) }

func BenchmarkForward(b *testing.B) {
	benchLoad(b, startWith(b, benchUpstream(b), func(s *forward.Server) { s.Observe = nil }).addr)
}

func BenchmarkForwardObserved(b *testing.B) {
	var n atomic.Int64
	benchLoad(b, startWith(b, benchUpstream(b), func(s *forward.Server) {
		s.Observe = func(x *forward.Exchange) { n.Add(x.Received) }
	}).addr)
}

func BenchmarkForwardWithFault(b *testing.B) {
	r := startWith(b, benchUpstream(b), func(s *forward.Server) { s.Observe = nil })
	key, _ := forward.ParseKey("header:User-Agent")
	r.put(forward.Rule{Match: forward.Match{Path: forward.Prefix("/some")}, Share: forward.Share{Millionths: 1, Key: key},
		Before: constant(time.Hour)})
	benchLoad(b, r.addr)
}

func BenchmarkReverseProxy(b *testing.B) {
	target, _ := url.Parse("http://" + benchUpstream(b))
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.Transport = &http.Transport{MaxIdleConnsPerHost: 64, DialContext: func(ctx context.Context, n, a string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, n, a)
	}}
	s := httptest.NewServer(proxy)
	defer s.Close()
	// The upstream answers a read, so a request must come in one piece: it does from net/http.
	benchLoad(b, s.Listener.Addr().String())
}
