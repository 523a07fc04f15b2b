package forward_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"mishap/internal/forward"
	"mishap/internal/nettest"
)

// ask sends a request on a connection that stays open and gives the response.
func ask(t *testing.T, c net.Conn, r *bufio.Reader, request string) (status int, body string) {
	t.Helper()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, text(t, res)
}

func TestOneUpstreamConnectionServesAKeptClientConnection(t *testing.T) {
	var connections atomic.Int64
	r := start(t, nettest.Serve(t, func(c *net.TCPConn) {
		connections.Add(1)
		say(okAnswer)(c)
	}))
	c := r.dial()
	answers := bufio.NewReader(c)
	for range 100 {
		if status, body := ask(t, c, answers, head("GET / HTTP/1.1", "Host: a")); status != 200 || body != "ok" {
			t.Fatalf("answer is %d %q", status, body)
		}
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections to the upstream, want 1", n)
	}
}

func TestAConnectionThatTheUpstreamClosedIsReplacedUnseen(t *testing.T) {
	for _, method := range []string{"GET", "POST"} {
		t.Run(method, func(t *testing.T) {
			closed := make(chan struct{}, 8)
			var requests atomic.Int64
			r := start(t, nettest.Serve(t, func(c *net.TCPConn) {
				if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
					return
				}
				requests.Add(1)
				_, _ = io.WriteString(c, okAnswer)
				c.Close()
				closed <- struct{}{}
			}))
			c := r.dial()
			answers := bufio.NewReader(c)
			for range 3 {
				if status, _ := ask(t, c, answers, head(method+" / HTTP/1.1", "Host: a", "Content-Length: 0")); status != 200 {
					t.Fatalf("status is %d", status)
				}
				<-closed
			}
			if n := requests.Load(); n != 3 {
				t.Errorf("%d requests came to the upstream, want 3", n)
			}
		})
	}
}

// TestOnlyIdempotentRequestsAreRepeated lets the upstream take a second request on a kept connection and leave.
func TestOnlyIdempotentRequestsAreRepeated(t *testing.T) {
	for request, want := range map[string]int{
		head("GET /2 HTTP/1.1", "Host: a"):                               200,
		head("DELETE /2 HTTP/1.1", "Host: a"):                            200,
		head("POST /2 HTTP/1.1", "Host: a", "Content-Length: 0"):         502,
		head("PATCH /2 HTTP/1.1", "Host: a"):                             502,
		head("PUT /2 HTTP/1.1", "Host: a", "Content-Length: 1") + "x":    502,
		head("GET /2 HTTP/1.1", "Host: a", "Content-Length: 2") + "\r\n": 502,
	} {
		t.Run(request, func(t *testing.T) {
			var connections, second atomic.Int64
			r := start(t, nettest.Serve(t, func(c *net.TCPConn) {
				first := connections.Add(1) == 1
				for in := bufio.NewReader(c); ; {
					req, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, req.Body)
					if req.URL.Path == "/2" {
						second.Add(1)
						if first {
							return
						}
					}
					_, _ = io.WriteString(c, okAnswer)
				}
			}))
			c := r.dial()
			answers := bufio.NewReader(c)
			ask(t, c, answers, head("GET /1 HTTP/1.1", "Host: a"))
			status, _ := ask(t, c, answers, request)
			times := int64(1)
			if want == 200 {
				times = 2
			}
			if status != want || second.Load() != times {
				t.Errorf("status %d after %d tries, want %d after %d", status, second.Load(), want, times)
			}
		})
	}
}

func TestBytesThatNobodyAskedForAreNoResponse(t *testing.T) {
	told := make(chan struct{})
	var connections atomic.Int64
	r := start(t, nettest.Serve(t, func(c *net.TCPConn) {
		if connections.Add(1) > 1 {
			say(okAnswer)(c)
			return
		}
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			_, _ = io.WriteString(c, okAnswer)
			_, _ = io.WriteString(c, head("HTTP/1.1 408 Request Timeout", "Content-Length: 0"))
			close(told)
			_, _ = io.Copy(io.Discard, c)
		}
	}))
	c := r.dial()
	answers := bufio.NewReader(c)
	ask(t, c, answers, head("GET / HTTP/1.1", "Host: a"))
	<-told
	if status, _ := ask(t, c, answers, head("GET / HTTP/1.1", "Host: a")); status != 200 {
		t.Errorf("status is %d: an old message was taken for the response", status)
	}
}

// TestABodyWhereNoneMayBeIsNoResponse has a 204 with a length, whose body comes late.
func TestABodyWhereNoneMayBeIsNoResponse(t *testing.T) {
	for _, fields := range []string{"Content-Length: 19", "Transfer-Encoding: chunked"} {
		t.Run(fields, func(t *testing.T) {
			var connections atomic.Int64
			r := start(t, nettest.Serve(t, func(c *net.TCPConn) {
				if connections.Add(1) > 1 {
					say(okAnswer)(c)
					return
				}
				in := bufio.NewReader(c)
				if _, err := http.ReadRequest(in); err == nil {
					_, _ = io.WriteString(c, head("HTTP/1.1 204 No Content", fields))
					if _, err := http.ReadRequest(in); err == nil {
						_, _ = io.WriteString(c, head("HTTP/1.1 403 No", "Content-Length: 0"))
					}
				}
			}))
			c := r.dial()
			answers := bufio.NewReader(c)
			if status, _ := ask(t, c, answers, head("GET / HTTP/1.1", "Host: a")); status != 204 {
				t.Errorf("status is %d", status)
			}
			if status, _ := ask(t, c, answers, head("GET / HTTP/1.1", "Host: a")); status != 200 {
				t.Errorf("status is %d: the connection went on after a body that may not be", status)
			}
		})
	}
}

func TestUnreachableUpstreamIs502(t *testing.T) {
	l := nettest.Listen(t)
	addr := l.Addr().String()
	l.Close()
	r := start(t, addr)
	if res := r.get("/"); res.StatusCode != http.StatusBadGateway {
		t.Errorf("status is %d", res.StatusCode)
	}
	if x := r.exchange(); x.Failure != forward.Unreachable || x.Status != 502 {
		t.Errorf("observed %+v", x)
	}
}

func TestLargeBodiesPassWholeBothWays(t *testing.T) {
	const size = 20 << 20
	for _, chunked := range []bool{false, true} {
		t.Run(fmt.Sprintf("chunked %v", chunked), func(t *testing.T) {
			r := start(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
				sum := sha256.New()
				_, _ = io.Copy(sum, r.Body)
				w.Header().Set("Trailer", "X-Sum")
				if !chunked {
					w.Header().Set("Content-Length", fmt.Sprint(size))
				}
				_, _ = io.Copy(w, io.LimitReader(pattern{}, size))
				w.Header().Set("X-Sum", fmt.Sprintf("%x", sum.Sum(nil)))
			}))
			body := io.LimitReader(pattern{}, size)
			req, _ := http.NewRequest(http.MethodPost, "http://"+r.addr, body)
			req.ContentLength = size
			if chunked {
				req.ContentLength = -1
			}
			res, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			got, want := sha256.New(), sha256.New()
			_, _ = io.Copy(want, io.LimitReader(pattern{}, size))
			if n, err := io.Copy(got, res.Body); err != nil || n != size {
				t.Fatalf("%d bytes came back, %v", n, err)
			}
			res.Body.Close()
			if !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
				t.Error("other bytes came back")
			}
			if chunked && res.Trailer.Get("X-Sum") != fmt.Sprintf("%x", want.Sum(nil)) {
				t.Error("other bytes came to the upstream, or no trailer came back")
			}
			if x := r.exchange(); x.Sent != size || x.Received != size {
				t.Errorf("counted %d and %d bytes, want %d", x.Sent, x.Received, size)
			}
		})
	}
}

// pattern is an endless stream of bytes of which no stretch looks like another.
type pattern struct{}

func (pattern) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(i * 31)
	}
	return len(p), nil
}

func TestContinueIsTheUpstreams(t *testing.T) {
	asked := make(chan struct{})
	r := start(t, nettest.Serve(t, func(c *net.TCPConn) {
		in := bufio.NewReader(c)
		req, err := http.ReadRequest(in)
		if err != nil || req.Header.Get("Expect") != "100-continue" {
			return
		}
		close(asked)
		_, _ = io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
		b := make([]byte, 5)
		_, _ = io.ReadFull(in, b)
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(b), b)
	}))
	c := r.dial()
	_, _ = io.WriteString(c, head("POST / HTTP/1.1", "Host: a", "Expect: 100-continue", "Content-Length: 5"))
	<-asked
	in := bufio.NewReader(c)
	if line, _ := in.ReadString('\n'); line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("first line is %q", line)
	}
	_, _ = in.ReadString('\n')
	if status, body := ask(t, c, in, "hello"); status != 200 || body != "hello" {
		t.Errorf("answer is %d %q", status, body)
	}
}

func TestARefusedExpectationEndsTheConnection(t *testing.T) {
	r := start(t, nettest.Serve(t, say(head("HTTP/1.1 401 Unauthorized", "Content-Length: 0"))))
	c := r.dial()
	_, _ = io.WriteString(c, head("POST / HTTP/1.1", "Host: a", "Expect: 100-continue", "Content-Length: 5"))
	answer, err := io.ReadAll(c)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 401 ") || !strings.Contains(string(answer), "Connection: close") {
		t.Errorf("answer is %q, %v", answer, err)
	}
}

func TestAResponseMayComeBeforeTheRequestsEnd(t *testing.T) {
	r := start(t, nettest.Serve(t, func(c *net.TCPConn) {
		in := bufio.NewReader(c)
		if _, err := http.ReadRequest(in); err != nil {
			return
		}
		_, _ = io.WriteString(c, head("HTTP/1.1 200 OK", "Content-Length: 4"))
		b := make([]byte, 4)
		_, _ = io.ReadFull(in, b)
		_, _ = c.Write(b)
		_, _ = io.Copy(io.Discard, c)
	}))
	c := r.dial()
	_, _ = io.WriteString(c, head("POST / HTTP/1.1", "Host: a", "Content-Length: 4"))
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(c, "ping")
	if body := text(t, res); body != "ping" {
		t.Errorf("body is %q", body)
	}
}

func TestAHalfClosedClientGetsItsResponse(t *testing.T) {
	ended := make(chan error, 1)
	r := start(t, nettest.Serve(t, func(c *net.TCPConn) {
		in := bufio.NewReader(c)
		if _, err := http.ReadRequest(in); err != nil {
			return
		}
		_, err := in.ReadByte() // the client's end comes through
		ended <- err
		_, _ = io.WriteString(c, okAnswer)
	}))
	answer := r.talk(head("GET / HTTP/1.1", "Host: a"))
	if err := <-ended; !errors.Is(err, io.EOF) {
		t.Errorf("the upstream saw %v, want the client's end", err)
	}
	if answer != okAnswer {
		t.Errorf("answer is %q", answer)
	}
}

func TestAClientThatResetsItsConnectionResetsTheUpstreams(t *testing.T) {
	for name, request := range map[string]string{
		"waiting":  head("GET / HTTP/1.1", "Host: a"),
		"sending":  head("POST / HTTP/1.1", "Host: a", "Content-Length: 100") + "some",
		"pipeline": head("GET / HTTP/1.1", "Host: a") + head("GET / HTTP/1.1", "Host: a"),
	} {
		t.Run(name, func(t *testing.T) {
			got, ended := make(chan struct{}), make(chan error, 1)
			r := start(t, nettest.Serve(t, func(c *net.TCPConn) {
				in := bufio.NewReader(c)
				if _, err := http.ReadRequest(in); err != nil {
					return
				}
				close(got)
				_, err := io.Copy(io.Discard, in)
				ended <- err
			}))
			c := r.dial()
			_, _ = io.WriteString(c, request)
			<-got
			_ = c.SetLinger(0)
			c.Close()
			if err := <-ended; !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the upstream saw %v", err)
			}
			if x := r.exchange(); x.Failure != forward.ClientGone {
				t.Errorf("observed %+v", x)
			}
		})
	}
}

func TestACutResponseNeverLooksWhole(t *testing.T) {
	for name, response := range map[string]string{
		"length":      head("HTTP/1.1 200 OK", "Content-Length: 100") + "some",
		"chunks":      head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + "4\r\nsome\r\n",
		"bad chunk":   head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + "4\r\nsome\r\nzz\r\n",
		"until reset": head("HTTP/1.1 200 OK") + "some",
	} {
		t.Run(name, func(t *testing.T) {
			read := make(chan struct{})
			r := start(t, nettest.Serve(t, func(c *net.TCPConn) {
				if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
					return
				}
				_, _ = io.WriteString(c, response)
				if name == "until reset" {
					<-read
					_ = c.SetLinger(0)
				}
			}))
			c := r.dial()
			_, _ = io.WriteString(c, head("GET / HTTP/1.1", "Host: a"))
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				return // the reset came first
			}
			_, _ = io.ReadFull(res.Body, make([]byte, 4))
			close(read)
			if _, err := io.ReadAll(res.Body); err == nil {
				t.Error("the client took the response for whole")
			}
		})
	}
}

func TestAMalformedBodyNeverLooksWholeToTheUpstream(t *testing.T) {
	got, ended := make(chan struct{}), make(chan error, 1)
	r := start(t, nettest.Serve(t, func(c *net.TCPConn) {
		req, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		_, _ = io.ReadFull(req.Body, make([]byte, 4))
		close(got)
		_, err = io.ReadAll(req.Body)
		ended <- err
	}))
	c := r.dial()
	_, _ = io.WriteString(c, head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked")+"4\r\nsome\r\n")
	<-got
	_, _ = io.WriteString(c, "zz\r\n")
	answer, _ := io.ReadAll(c)
	if !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") {
		t.Errorf("answer is %q", answer)
	}
	if err := <-ended; err == nil {
		t.Error("the upstream took the request for whole")
	}
}

func TestBackpressureHolds(t *testing.T) {
	sent := make(chan int64, 1)
	var n atomic.Int64
	r := start(t, nettest.Serve(t, func(c *net.TCPConn) {
		_, _ = http.ReadRequest(bufio.NewReader(c))
		_, _ = io.WriteString(c, head("HTTP/1.1 200 OK", "Content-Length: 1000000000"))
		_ = c.SetWriteDeadline(time.Now().Add(time.Second)) // ends the test; the client reads nothing
		for buf := make([]byte, 64<<10); ; {
			w, err := c.Write(buf)
			n.Add(int64(w))
			if err != nil {
				sent <- n.Load()
				return
			}
		}
	}))
	c := r.dial()
	_ = c.SetReadBuffer(64 << 10)
	_, _ = io.WriteString(c, head("GET / HTTP/1.1", "Host: a"))
	if n := <-sent; n > 64<<20 {
		t.Errorf("%d bytes went out while the client read none", n)
	}
}

func TestAHeadThatDoesNotComeInTimeIs408(t *testing.T) {
	r := startWith(t, "127.0.0.1:1", func(s *forward.Server) { s.HeaderTimeout = time.Millisecond })
	c := r.dial()
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: ")
	answer, _ := io.ReadAll(c)
	if !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") {
		t.Errorf("answer is %q", answer)
	}
	if x := r.exchange(); x.Failure != forward.RequestTimeout {
		t.Errorf("observed %+v", x)
	}
}

func TestStopResetsConnections(t *testing.T) {
	got := make(chan struct{})
	r := start(t, nettest.Serve(t, func(c *net.TCPConn) {
		_, _ = http.ReadRequest(bufio.NewReader(c))
		close(got)
		_, _ = io.Copy(io.Discard, c)
	}))
	c := r.dial()
	_, _ = io.WriteString(c, head("GET / HTTP/1.1", "Host: a"))
	<-got
	r.stop()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client saw %v", err)
	}
}

func TestADrainingServerEndsConnectionsWithTheirNextResponse(t *testing.T) {
	for _, dial := range []string{"http1", "http2"} {
		t.Run(dial, func(t *testing.T) {
			var server *forward.Server
			r, client := rigFor(t, dial, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "whole") },
				func(s *forward.Server) { server = s })
			kept := make(chan error, 8) // the client has an HTTP/1 connection ready for its next request, a while after the body
			get := func() (text string, reused bool) {
				t.Helper()
				ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
					GotConn:     func(i httptrace.GotConnInfo) { reused = i.Reused },
					PutIdleConn: func(err error) { kept <- err }})
				req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.addr, nil)
				resp, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				b, err := io.ReadAll(resp.Body)
				if err != nil {
					t.Fatal(err)
				}
				return string(b), reused
			}
			wait := func() {
				if dial == "http1" {
					<-kept
				}
			}
			get()
			wait()
			if text, reused := get(); text != "whole" || !reused {
				t.Fatalf("before: %q, reused %v", text, reused)
			}
			wait()
			server.Drain()
			if text, reused := get(); text != "whole" || !reused {
				t.Errorf("the response after: %q, reused %v", text, reused)
			}
			if text, reused := get(); text != "whole" || reused {
				t.Errorf("the next: %q, reused %v", text, reused)
			}
			eventually(t, "no request is under way", func() bool { return server.Active() == 0 })
		})
	}
}
