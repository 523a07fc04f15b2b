package differential

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// health is a gRPC service whose calls take a while, and whose streams stay open.
type health struct {
	grpc_health_v1.UnimplementedHealthServer
	takes time.Duration
	on    func(n int64) // each call, by its number, from 1 on
	calls *atomic.Int64
}

func (h health) Check(context.Context, *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	if n := h.calls.Add(1); h.on != nil {
		h.on(n)
	}
	time.Sleep(h.takes) // what the service does
	return &grpc_health_v1.HealthCheckResponse{Status: grpc_health_v1.HealthCheckResponse_SERVING}, nil
}

func (h health) Watch(_ *grpc_health_v1.HealthCheckRequest, s grpc.ServerStreamingServer[grpc_health_v1.HealthCheckResponse]) error {
	if err := s.Send(&grpc_health_v1.HealthCheckResponse{Status: grpc_health_v1.HealthCheckResponse_SERVING}); err != nil {
		return err
	}
	<-s.Context().Done()
	return nil
}

// grpcServer runs grpc-go.
func grpcServer(takes time.Duration, options ...grpc.ServerOption) func(*bed) string {
	return func(b *bed) string {
		s := grpc.NewServer(options...)
		grpc_health_v1.RegisterHealthServer(s, health{takes: takes, calls: new(atomic.Int64)})
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		go s.Serve(l)
		b.Cleanup(s.Stop)
		return l.Addr().String()
	}
}

// handed is a listener whose connections another has accepted.
type handed struct {
	net.Listener
	conns chan net.Conn
	over  chan struct{}
	close func()

	mu    sync.Mutex
	taken []net.Conn
}

func newHanded(of net.Listener) *handed {
	h := &handed{Listener: of, conns: make(chan net.Conn), over: make(chan struct{})}
	h.close = sync.OnceFunc(func() { close(h.over) })
	return h
}

func (h *handed) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		h.mu.Lock()
		defer h.mu.Unlock()
		h.taken = append(h.taken, c)
		return c, nil
	case <-h.over:
		return nil, net.ErrClosed
	}
}

// cut closes all connections that were taken.
func (h *handed) cut() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.taken {
		_ = c.Close()
	}
}

func (h *handed) Close() error {
	h.close()
	return nil
}

// generations is an upstream that is replaced again and again, on one port that always accepts.
type generations struct {
	mu   sync.Mutex
	now  *handed
	end  func() // of the generation that serves now
	next func(net.Listener) (end func())
	l    net.Listener
}

func (b *bed) generations(next func(net.Listener) (end func())) *generations {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	g := &generations{next: next, l: l}
	return g
}

func (g *generations) serve() string {
	g.replace()
	go func() {
		for {
			c, err := g.l.Accept()
			if err != nil {
				return
			}
			for taken := false; !taken; {
				g.mu.Lock()
				now := g.now
				g.mu.Unlock()
				select {
				case now.conns <- c:
					taken = true
				case <-now.over:
				}
			}
		}
	}()
	return g.l.Addr().String()
}

// replace lets the next generation take connections, and then ends the last one.
func (g *generations) replace() {
	g.mu.Lock()
	end := g.end
	g.now = newHanded(g.l)
	g.end = g.next(g.now)
	g.mu.Unlock()
	if end != nil {
		end()
	}
}

// grpcGenerations are replaced at every nth call: gently, or so that calls are cut.
func grpcGenerations(nth int64, takes time.Duration, gently bool) func(*bed) string {
	return func(b *bed) string {
		var g *generations
		var calls atomic.Int64
		service := health{takes: takes, calls: &calls, on: func(n int64) {
			if n%nth == 0 {
				g.replace()
			}
		}}
		g = b.generations(func(l net.Listener) func() {
			s := grpc.NewServer()
			grpc_health_v1.RegisterHealthServer(s, service)
			go s.Serve(l)
			b.Cleanup(s.Stop)
			if gently {
				return func() { go s.GracefulStop() }
			}
			return func() {
				l.(*handed).cut()
				go s.Stop()
			}
		})
		return g.serve()
	}
}

// httpGenerations are net/http, and are replaced at every nth request, so gently that connections end with an answer.
func httpGenerations(nth int64) func(*bed) string {
	return func(b *bed) string {
		var g *generations
		var requests atomic.Int64
		g = b.generations(func(l net.Listener) func() {
			var over atomic.Bool
			s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if requests.Add(1)%nth == 0 {
					g.replace()
				}
				if over.Load() {
					w.Header().Set("Connection", "close")
				}
				_, _ = io.WriteString(w, "fine")
			})}
			go s.Serve(l)
			b.Cleanup(func() { s.Close() })
			return func() { over.Store(true) }
		})
		return g.serve()
	}
}

// handler runs net/http, with HTTP/1 and HTTP/2, and as many streams on a connection as are given.
func handler(streams int, h func() http.HandlerFunc) func(*bed) string {
	return func(b *bed) string {
		p := new(http.Protocols)
		p.SetHTTP1(true)
		p.SetUnencryptedHTTP2(true)
		s := &http.Server{Handler: h(), Protocols: p, HTTP2: &http.HTTP2Config{MaxConcurrentStreams: streams}}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		go s.Serve(l)
		b.Cleanup(func() { s.Close() })
		return l.Addr().String()
	}
}

// meeting lets no request of a number end before all have come.
func meeting(number int) func() http.HandlerFunc {
	return func() http.HandlerFunc {
		var come atomic.Int64
		all := make(chan struct{})
		return func(w http.ResponseWriter, r *http.Request) {
			if come.Add(1) == int64(number) {
				close(all)
			}
			select {
			case <-all:
				_, _ = io.WriteString(w, "fine")
			case <-r.Context().Done():
			}
		}
	}
}

// nginx is nginx as the upstream.
func nginx(server string) func(*bed) string {
	return func(b *bed) string { return b.nginx(server) }
}

// scripted is an HTTP/2 server that a test has written.
func scripted(settings []http2.Setting, answer func(*peer, request)) func(*bed) string {
	return func(b *bed) string { return b.server(settings, answer) }
}

// plain is an HTTP/1 server that answers each request's path by writing to the connection; it hangs up if told so.
func plain(answer func(c *net.TCPConn, path string) (goOn bool)) func(*bed) string {
	return func(b *bed) string {
		return b.listen(func(c net.Conn) {
			for in := bufio.NewReader(c); ; {
				req, err := http.ReadRequest(in)
				if err != nil {
					return
				}
				if _, err := io.Copy(io.Discard, req.Body); err != nil || !answer(c.(*net.TCPConn), req.URL.Path) {
					return
				}
			}
		})
	}
}

// silent accepts, reads, and never says a word.
func silent(b *bed) string {
	return b.listen(func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
}

// cut resets a connection instead of ending it.
func cut(c net.Conn) {
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
}

// numbered makes the paths /0 to /n-1, and number reads one.
func numbered(n int) (paths []string) {
	for i := range n {
		paths = append(paths, "/"+strconv.Itoa(i))
	}
	return paths
}

func number(path string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(path, "/"))
	if err != nil {
		panic(errors.New("a path of these tests is a number: " + path))
	}
	return n
}
