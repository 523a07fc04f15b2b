package forward_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mishap/internal/forward"
	"mishap/internal/nettest"
)

// patience bounds every wait; nothing is asserted about how long things take within it.
const patience = 2 * time.Minute

// rig is a forwarder on a loopback listener.
type rig struct {
	t        testing.TB
	addr     string
	board    *forward.Board
	observed chan forward.Exchange
	stop     func() // resets all connections, and waits until nothing of them runs
}

// start forwards what comes to the upstream at an address.
func start(t testing.TB, upstream string) *rig {
	t.Helper()
	return startWith(t, upstream, func(*forward.Server) {})
}

func startWith(t testing.TB, upstream string, change func(*forward.Server)) *rig {
	t.Helper()
	r := &rig{t: t, board: &forward.Board{}, observed: make(chan forward.Exchange, 10_000)}
	s := &forward.Server{
		Dial: func(ctx context.Context) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", upstream)
		},
		Faults: r.board,
		Observe: func(x *forward.Exchange) {
			seen := *x
			seen.Hits, seen.Passed = slices.Clone(x.Hits), slices.Clone(x.Passed)
			select {
			case r.observed <- seen:
			default:
			}
		},
	}
	change(s)
	l := nettest.Listen(t)
	r.addr = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	var tasks sync.WaitGroup
	tasks.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			tasks.Go(func() { s.Serve(ctx, c) })
		}
	})
	r.stop = sync.OnceFunc(func() {
		l.Close()
		cancel()
		tasks.Wait()
	})
	t.Cleanup(r.stop)
	return r
}

// serve runs net/http as the upstream.
func serve(t testing.TB, handler http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// say answers every request without looking at it, once per empty line.
func say(answer string) func(*net.TCPConn) {
	return func(c *net.TCPConn) {
		for r := bufio.NewReader(c); ; {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			if line == "\r\n" {
				if _, err := io.WriteString(c, answer); err != nil {
					return
				}
			}
		}
	}
}

const okAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// dial opens a connection through the forwarder that fails a test which hangs.
func (r *rig) dial() *net.TCPConn {
	r.t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	r.t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

// exchange is what the forwarder has reported next.
func (r *rig) exchange() forward.Exchange {
	r.t.Helper()
	select {
	case x := <-r.observed:
		return x
	case <-time.After(patience):
		r.t.Fatal("no exchange was observed")
		return forward.Exchange{}
	}
}

// put puts a rule in force.
func (r *rig) put(rule forward.Rule) *forward.Fault {
	r.t.Helper()
	f, err := forward.NewFault(rule)
	if err != nil {
		r.t.Fatal(err)
	}
	r.board.Put(f)
	return f
}

// get asks over a client of its own.
func (r *rig) get(path string, header ...string) *http.Response {
	r.t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	req, err := http.NewRequest(http.MethodGet, "http://"+r.addr+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	res, err := client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { res.Body.Close() })
	return res
}

// text is the body of a response.
func text(t testing.TB, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// talk writes bytes, ends, and gives all that comes back.
func (r *rig) talk(bytes string) string {
	r.t.Helper()
	c := r.dial()
	if _, err := io.WriteString(c, bytes); err != nil {
		r.t.Fatal(err)
	}
	_ = c.CloseWrite()
	answer, _ := io.ReadAll(c)
	return string(answer)
}

// constant draws the same delay each time.
func constant(d time.Duration) func() time.Duration { return func() time.Duration { return d } }

// eventually polls until ok holds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for late := time.After(patience); !ok(); {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("still not so after %v: %s", patience, what)
		}
	}
}

// rigFor forwards to a net/http handler, and gives a client that speaks one version of HTTP with the forwarder, which
// speaks the same with the handler.
func rigFor(t testing.TB, version string, handler http.HandlerFunc, change ...func(*forward.Server)) (*rig, *http.Client) {
	t.Helper()
	both, one := new(http.Protocols), new(http.Protocols)
	both.SetHTTP1(true)
	both.SetUnencryptedHTTP2(true)
	one.SetHTTP1(version == "http1")
	one.SetUnencryptedHTTP2(version == "http2")
	s := httptest.NewUnstartedServer(handler)
	s.Config.Protocols = both
	s.Start()
	t.Cleanup(s.Close)
	transport := &http.Transport{Protocols: one, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	r := startWith(t, s.Listener.Addr().String(), func(s *forward.Server) {
		for _, c := range change {
			c(s)
		}
	})
	return r, &http.Client{Transport: transport, Timeout: patience}
}
