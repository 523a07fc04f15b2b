package forward_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"mishap/internal/forward"
)

// script is a client that has said all it will, and keeps what it is told.
type script struct {
	net.Conn // for what is not used
	in       io.Reader
	piece    int
	out      bytes.Buffer
}

func (s *script) Read(p []byte) (int, error)       { return s.in.Read(p[:min(len(p), s.piece)]) }
func (s *script) Write(p []byte) (int, error)      { return s.out.Write(p) }
func (*script) Close() error                       { return nil }
func (*script) RemoteAddr() net.Addr               { return &net.TCPAddr{} }
func (*script) SetDeadline(time.Time) error        { return nil }
func (*script) SetReadDeadline(t time.Time) error  { return nil }
func (*script) SetWriteDeadline(t time.Time) error { return nil }

// reader reads requests as net/http does and answers each.
type reader struct {
	seen  []string // methods and targets of requests that came whole
	wrong error
}

func (r *reader) serve(c net.Conn) {
	defer c.Close()
	for in := bufio.NewReader(c); ; {
		req, err := http.ReadRequest(in)
		if err != nil {
			r.note(err)
			return
		}
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			r.note(err)
			return
		}
		r.seen = append(r.seen, req.Method+" "+req.RequestURI)
		if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); err != nil {
			return
		}
	}
}

// note keeps what net/http minds. It is stricter about the inside of a URL and of a host, and knows that a request can be
// cut: that is what happens to one with a malformed body.
func (r *reader) note(err error) {
	for _, known := range []string{"EOF", "closed pipe", "invalid URL escape", "invalid URI", "malformed Host", "parse \"",
		"too many transfer", "invalid header field name", "chunked encoding contains too much", "chunked line ends", "suspiciously long trailer"} {
		if strings.Contains(err.Error(), known) {
			return
		}
	}
	r.wrong = err
}

// FuzzForward sends any bytes through the forwarder to net/http: it must see just the requests that the forwarder has
// seen, in their order, and nothing else.
func FuzzForward(f *testing.F) {
	for _, s := range []string{
		head("GET /1 HTTP/1.1", "Host: a") + head("GET /2 HTTP/1.1", "Host: a"),
		head("POST /1 HTTP/1.1", "Host: a", "Content-Length: 5") + "hello" + head("GET /2 HTTP/1.1", "Host: a"),
		head("POST /1 HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + "5;x\r\nhello\r\n0\r\nT: u\r\n\r\n" + head("HEAD /2 HTTP/1.1", "Host: a"),
		head("POST /1 HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "Content-Length: 4") + "0\r\n\r\nGET /2 HTTP/1.1\r\n\r\n",
		head("GET /1 HTTP/1.1", "Host: a", "Connection: x, close", "X: y"),
		head("GET /1 HTTP/1.0", "Content-Length: 3") + "abc" + head("GET /2 HTTP/1.1", "Host: a"),
	} {
		f.Add([]byte(s), uint16(9))
	}
	f.Fuzz(func(t *testing.T, b []byte, piece uint16) {
		up := &reader{}
		var tasks sync.WaitGroup
		var passed []string
		s := &forward.Server{
			Dial: func(context.Context) (net.Conn, error) {
				tasks.Wait() // the last connection is over
				ours, theirs := net.Pipe()
				tasks.Go(func() { up.serve(theirs) })
				return ours, nil
			},
			Observe: func(x *forward.Exchange) {
				if x.Status == http.StatusOK && x.Version == 1 {
					passed = append(passed, x.Method)
				}
			},
		}
		client := &script{in: bytes.NewReader(b), piece: int(piece) + 1}
		s.Serve(t.Context(), client)
		tasks.Wait()
		if up.wrong != nil {
			t.Fatalf("net/http minds what went through: %v", up.wrong)
		}
		if len(passed) != len(up.seen) {
			t.Fatalf("the forwarder saw %q, net/http %q", passed, up.seen)
		}
		for i, method := range passed {
			if !strings.HasPrefix(up.seen[i], method+" ") {
				t.Fatalf("the forwarder saw %q, net/http %q", passed, up.seen)
			}
		}
	})
}
