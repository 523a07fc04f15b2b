package forward_test

import (
	"bytes"
	"context"
	"io"
	"mishap/internal/nettest"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// peer is one HTTP/2 connection of an upstream that says the frames it likes.
type peer struct {
	net.Conn
	*http2.Framer
	number int // from 1 on

	mu sync.Mutex // of what writes
}

// rawUpstream calls on for each frame of each connection but SETTINGS and PING, in the goroutine that reads it. gone is
// called when the connection is over; nil: not.
func rawUpstream(t testing.TB, settings []http2.Setting, on func(*peer, http2.Frame), gone func(*peer)) (addr string, conns *atomic.Int64) {
	t.Helper()
	conns = new(atomic.Int64)
	return nettest.Serve(t, func(c *net.TCPConn) {
		p := newPeer(c, int(conns.Add(1)))
		p.serve(settings, on)
		if gone != nil {
			gone(p)
		}
	}), conns
}

func newPeer(c net.Conn, number int) *peer {
	p := &peer{Conn: c, Framer: http2.NewFramer(c, c), number: number}
	p.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	return p
}

// serve reads until the connection is over.
func (p *peer) serve(settings []http2.Setting, on func(*peer, http2.Frame)) {
	if _, err := io.ReadFull(p.Conn, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	p.write(func() { _ = p.WriteSettings(settings...) })
	for {
		f, err := p.ReadFrame()
		if err != nil {
			return
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				p.write(func() { _ = p.WriteSettingsAck() })
			}
		case *http2.PingFrame:
			if !f.IsAck() {
				p.write(func() { _ = p.WritePing(true, f.Data) })
			}
		default:
			on(p, f)
		}
	}
}

func (p *peer) write(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

// head sends the head of an answer.
func (p *peer) head(stream uint32, end bool, fields ...string) {
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	for i := 0; i < len(fields); i += 2 {
		_ = e.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	p.write(func() {
		_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: end})
	})
}

// say sends a piece of the body of an answer.
func (p *peer) say(stream uint32, end bool, text string) {
	p.write(func() { _ = p.WriteData(stream, end, []byte(text)) })
}

// answer sends a whole answer.
func (p *peer) answer(stream uint32, text string) {
	p.head(stream, false, ":status", "200")
	p.say(stream, true, text)
}

func (p *peer) reset(stream uint32, code http2.ErrCode) {
	p.write(func() { _ = p.WriteRSTStream(stream, code) })
}

func (p *peer) goAway(last uint32, code http2.ErrCode) {
	p.write(func() { _ = p.WriteGoAway(last, code, nil) })
}

// hangUp ends what it says, and reads on: to close beside what was not read resets the connection, which may lose what
// was said before it.
func (p *peer) hangUp() {
	p.write(func() { _ = p.Conn.(*net.TCPConn).CloseWrite() })
}

// take gives the window of a piece of a body back.
func (p *peer) take(f *http2.DataFrame) {
	if n := f.Header().Length; n > 0 {
		p.write(func() { _ = p.WriteWindowUpdate(0, n); _ = p.WriteWindowUpdate(f.StreamID, n) })
	}
}

// direct is one HTTP/2 connection to an address. It sends nothing twice.
func direct(t testing.TB, addr string) *http.ClientConn {
	t.Helper()
	return directOver(t, addr, func(ctx context.Context, network, addr string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, addr)
	})
}

func directOver(t testing.TB, addr string, dial func(context.Context, string, string) (net.Conn, error)) *http.ClientConn {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	c, err := (&http.Transport{Protocols: protocols, DisableCompression: true, DialContext: dial}).NewClientConn(t.Context(), "http", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// askOn sends a request, with a body if there is one.
func askOn(ctx context.Context, c http.RoundTripper, path string, body io.Reader) (*http.Response, error) {
	method := http.MethodGet
	if body != nil {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://shop.example"+path, body)
	if err != nil {
		return nil, err
	}
	return c.RoundTrip(req)
}
