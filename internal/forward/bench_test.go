package forward_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mishap/internal/forward"
	"mishap/internal/nettest"
)

const benchRequest = "GET /some/path?q=1 HTTP/1.1\r\nHost: bench.example\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"

const benchAnswer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nServer: bench\r\nContent-Length: 12\r\n\r\nHello world\n"

// TestMain also plays the parts of the benchmarks, each in a process of its own: its CPU time is its own then.
func TestMain(m *testing.M) {
	role, target, ok := strings.Cut(os.Getenv("FORWARD_BENCH_ROLE"), " ")
	if !ok {
		os.Exit(m.Run())
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go func() { // the end of the benchmark is the end of the part
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	fmt.Println(l.Addr())
	play(role, target, l)
}

func play(role, target string, l net.Listener) {
	if role == "reverse-proxy" {
		proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: target})
		proxy.Transport = &http.Transport{MaxIdleConnsPerHost: 64}
		_ = http.Serve(l, proxy)
		return
	}
	handle := answerEach
	if role != "upstream" {
		handle = forwarder(role, target)
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go handle(c)
	}
}

// answerEach answers each read, at the least cost.
func answerEach(c net.Conn) {
	buf, answer := make([]byte, 4096), []byte(benchAnswer)
	for {
		if _, err := c.Read(buf); err != nil {
			return
		}
		if _, err := c.Write(answer); err != nil {
			return
		}
	}
}

func forwarder(role, target string) func(net.Conn) {
	s := &forward.Server{Faults: &forward.Board{}, Dial: func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", target)
	}}
	var received atomic.Int64
	switch role {
	case "observed":
		s.Observe = func(x *forward.Exchange) { received.Add(x.Received) }
	case "fault":
		key, _ := forward.ParseKey("header:User-Agent")
		f, _ := forward.NewFault(forward.Rule{Match: forward.Match{Path: forward.Prefix("/some")},
			Share: forward.Share{Millionths: 1, Key: key}, Before: constant(time.Hour)})
		s.Faults.Put(f)
	}
	return func(c net.Conn) { s.Serve(context.Background(), c) }
}

// part is a process that plays one.
type part struct {
	addr string
	stop func() *os.ProcessState
}

func begin(b *testing.B, role, target string) part {
	b.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "FORWARD_BENCH_ROLE="+role+" "+target)
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return part{strings.TrimSpace(line), func() *os.ProcessState {
		in.Close()
		_ = cmd.Wait()
		return cmd.ProcessState
	}}
}

// BenchmarkRequests asks over 32 kept connections, through each forwarder in turn. cpu-ns/op is the CPU time of the
// forwarder's process alone.
func BenchmarkRequests(b *testing.B) {
	for _, role := range []string{"direct", "plain", "observed", "fault", "reverse-proxy"} {
		b.Run(role, func(b *testing.B) {
			up := begin(b, "upstream", "none")
			defer up.stop()
			addr, stop := up.addr, func() *os.ProcessState { return nil }
			if role != "direct" {
				p := begin(b, role, up.addr)
				addr, stop = p.addr, p.stop
			}
			load(b, addr)
			if state := stop(); state != nil {
				b.ReportMetric(float64((state.UserTime()+state.SystemTime()).Nanoseconds())/float64(b.N), "cpu-ns/op")
			}
		})
	}
}

func load(b *testing.B, addr string) {
	const clients = 32
	var left atomic.Int64
	left.Store(int64(b.N))
	done := make(chan error, clients)
	b.ResetTimer()
	for range clients {
		go func() { done <- client(addr, &left) }()
	}
	for range clients {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
}

func client(addr string, left *atomic.Int64) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	request, r := []byte(benchRequest), bufio.NewReader(c)
	for left.Add(-1) >= 0 {
		if _, err := c.Write(request); err != nil {
			return err
		}
		for line := []byte(nil); len(line) != 2; {
			if line, err = r.ReadSlice('\n'); err != nil {
				return err
			}
		}
		if _, err := r.Discard(12); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkAllocations is one exchange over one connection, all in one process, for the number of its allocations.
func BenchmarkAllocations(b *testing.B) {
	up := nettest.Listen(b)
	go func() {
		for {
			c, err := up.Accept()
			if err != nil {
				return
			}
			go answerEach(c)
		}
	}()
	r := startWith(b, up.Addr().String(), func(s *forward.Server) { s.Observe = func(*forward.Exchange) {} })
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ReportAllocs()
	if err := client(r.addr, &left); err != nil {
		b.Fatal(err)
	}
}
