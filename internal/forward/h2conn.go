package forward

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// settingsWait is how long requests wait for the SETTINGS of an upstream that has just been connected to: only they say how
// many streams it takes. They are the first thing that it must send (RFC 9113, 3.4).
const settingsWait = time.Second

// upstreamConn is one HTTP/2 connection to the upstream.
type upstreamConn struct {
	*http.ClientConn
	watched *watched
	scheme  string
}

// watched is the connection under an upstreamConn. It looks at what net/http keeps to itself.
type watched struct {
	net.Conn
	frames   scanner
	began    bool // the SETTINGS have been read
	settled  chan struct{}
	settle   func()      // closes settled
	draining atomic.Bool // the upstream has sent GOAWAY
	bell     *bell       // is rung then
}

// openHTTP2 speaks HTTP/2 on a connection, without more ado if it is not encrypted.
func openHTTP2(ctx context.Context, conn net.Conn, bell *bell) (*upstreamConn, error) {
	scheme := "http"
	if _, secure := conn.(*tls.Conn); secure {
		scheme = "https"
	}
	w := &watched{Conn: conn, settled: make(chan struct{}), bell: bell}
	w.settle = sync.OnceFunc(func() { close(w.settled) })
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	t := &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return w, nil },
		Protocols:   protocols, DisableCompression: true, MaxResponseHeaderBytes: maxHead,
		HTTP2: &http.HTTP2Config{MaxReceiveBufferPerStream: streamWindow, MaxReceiveBufferPerConnection: maxStreams * streamWindow},
	}
	c, err := t.NewClientConn(ctx, "http", "upstream:80")
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("open HTTP/2: %w", err)
	}
	c.SetStateHook(func(*http.ClientConn) { bell.ring() })
	timer := time.NewTimer(settingsWait)
	defer timer.Stop()
	select {
	case <-w.settled:
	case <-timer.C:
	case <-ctx.Done():
	}
	return &upstreamConn{c, w, scheme}, nil
}

// Read gives what the upstream has sent.
func (w *watched) Read(p []byte) (int, error) {
	if w.began {
		w.settle() // whoever reads on has dealt with what came before
	}
	n, err := w.Conn.Read(p)
	w.frames.scan(p[:n], func(f frame, _, offset, size int) {
		whole := offset+size == f.length
		switch {
		case whole && f.kind == frameSettings && f.flags&flagAck == 0:
			w.began = true
		case whole && f.kind == frameGoAway:
			w.draining.Store(true)
		}
	})
	if err != nil {
		w.settle()
	}
	return n, err
}

// state says whether the connection takes a request now, which is reserved then, or can ever.
func (c *upstreamConn) state() connState {
	switch {
	case c.Err() != nil:
		return connOver
	case c.watched.draining.Load() && c.InFlight() == 0:
		_ = c.Close()
		return connOver
	case c.watched.draining.Load():
		return connDrains
	case c.Reserve() == nil:
		return connTakes
	case c.InFlight() == 0:
		return connClosed
	}
	return connFull
}

type connState uint8

const (
	connTakes  connState = iota // takes a request, for which there is a place now
	connFull                    // has as many streams as the upstream allows
	connClosed                  // has none, and the upstream allows none
	connDrains                  // takes none any more (GOAWAY); those that it has go on
	connOver
)
