package forward

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
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

// closeMost bounds how long a connection to the upstream says that it ends.
const closeMost = 250 * time.Millisecond

// upstreamConn is one HTTP/2 connection to the upstream.
type upstreamConn struct {
	*http.ClientConn
	watched *watched
	scheme  string

	// starting holds a token of the one request that has a place and has not begun its stream. With two of them net/http counts
	// each against the other, and lets neither begin, once the upstream has lowered its limit of streams to what is under way.
	starting chan struct{}
}

// watched is the connection under an upstreamConn. It looks at what net/http keeps to itself.
type watched struct {
	net.Conn
	frames   scanner
	began    bool // the SETTINGS have been read
	settled  chan struct{}
	settle   func()      // closes settled
	setting  [6]byte     // that comes
	closed   atomic.Bool // the upstream allows no stream at all
	draining atomic.Bool // the upstream has sent GOAWAY
}

// errNotHTTP2 says that a connection was over as soon as it was made.
var errNotHTTP2 = errors.New("the upstream does not speak HTTP/2, or has closed the connection")

// openHTTP2 speaks HTTP/2 on a connection, without more ado if it is not encrypted.
func openHTTP2(ctx context.Context, conn net.Conn, bell *bell) (*upstreamConn, error) {
	scheme := "http"
	if _, secure := conn.(*tls.Conn); secure {
		scheme = "https"
	}
	w := &watched{Conn: conn, settled: make(chan struct{})}
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
	if c.Err() != nil {
		return nil, errNotHTTP2
	}
	return &upstreamConn{ClientConn: c, watched: w, scheme: scheme, starting: make(chan struct{}, 1)}, nil
}

// Read gives what the upstream has sent.
func (w *watched) Read(p []byte) (int, error) {
	if w.began {
		w.settle() // whoever reads on has dealt with what came before
	}
	n, err := w.Conn.Read(p)
	w.frames.scan(p[:n], func(f frame, at, offset, size int) {
		whole := offset+size == f.length
		switch {
		case f.kind == frameGoAway && whole:
			w.draining.Store(true)
		case f.kind == frameSettings && f.flags&flagAck == 0:
			w.settings(p[at:at+size], offset)
			w.began = w.began || whole
		}
	})
	return n, err
}

// settings looks for the limit of streams in a piece of SETTINGS (RFC 9113, 6.5.1).
func (w *watched) settings(p []byte, offset int) {
	for i, b := range p {
		w.setting[(offset+i)%len(w.setting)] = b
		if (offset+i)%len(w.setting) == len(w.setting)-1 && binary.BigEndian.Uint16(w.setting[:]) == settingMaxStreams {
			w.closed.Store(binary.BigEndian.Uint32(w.setting[2:]) == 0)
		}
	}
}

// Close closes the connection, as net/http does when it is over. TLS says goodbye, but waits for nobody.
func (w *watched) Close() error {
	defer w.settle()
	if t, ok := w.Conn.(*tls.Conn); ok {
		_ = t.SetWriteDeadline(time.Now().Add(closeMost))
		defer t.NetConn().Close()
	}
	return w.Conn.Close()
}

// place reserves a place for a request whose turn it is to begin, and gives up the turn if there is none.
func (c *upstreamConn) place() (r *route, ok bool) {
	if c.watched.draining.Load() || c.Reserve() != nil {
		<-c.starting
		return nil, false
	}
	return c.route(), true
}

// route is for the request that has a place and the turn.
func (c *upstreamConn) route() *route {
	return &route{c, c.scheme, false, sync.OnceFunc(func() { <-c.starting })}
}

// state says whether the connection takes a request now, which is reserved then, or can ever. Of one that is over nobody
// gets the turn any more.
func (c *upstreamConn) state() (connState, *route) {
	switch {
	case c.Err() != nil:
		return connOver, nil
	case c.watched.draining.Load() && c.InFlight() > 0:
		return connDrains, nil
	case c.watched.draining.Load():
		return connOver, nil
	}
	select {
	case c.starting <- struct{}{}:
	default:
		if c.Available() <= 0 && c.InFlight() > 0 {
			return connFull, nil
		}
		return connBusy, nil
	}
	switch {
	case c.Reserve() == nil:
		return connTakes, c.route()
	case c.InFlight() > 0:
		<-c.starting
		return connFull, nil
	case c.watched.closed.Load():
		<-c.starting
		return connClosed, nil
	}
	return connOver, nil // net/http has had enough of it
}

type connState uint8

const (
	connTakes  connState = iota // takes a request, for which there is a place now
	connBusy                    // will, when another request has begun its stream
	connFull                    // has as many streams as the upstream allows
	connClosed                  // has none, and the upstream allows none
	connDrains                  // takes none any more (GOAWAY); those that it has go on
	connOver                    // can be closed
)
