package forward

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"sync"
)

// h2 is one HTTP/2 client. net/http speaks the protocol, and serves each stream in a goroutine of its own.
type h2 struct {
	srv    *Server
	addr   netip.Addr
	number uint64
	client *framed
	up     h2Upstream

	mu      sync.Mutex
	streams int
	closed  bool
	idle    chan struct{} // closed when closed is set and no stream is left
}

// serveHTTP2 serves an HTTP/2 connection from its preface on, until it ends.
func (s *Server) serveHTTP2(ctx context.Context, conn net.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	detach := context.AfterFunc(ctx, func() { abort(unwrap(conn)) })
	defer detach()
	h := &h2{srv: s, addr: addrOf(conn), number: s.number.Add(1), idle: make(chan struct{}),
		client: newFramed(conn, s, ctx.Done())}
	defer h.client.close()
	h.up.srv, h.up.ctx = s, ctx
	l := &single{conn: h.client, over: make(chan struct{})}
	over := sync.OnceFunc(func() { close(l.over) })
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true) // TLS ends below
	server := &http.Server{
		Handler: h, Protocols: protocols, MaxHeaderBytes: maxHead,
		DisableGeneralOptionsHandler: true, // OPTIONS * is the upstream's to answer
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: maxStreams, MaxReceiveBufferPerStream: streamWindow,
			MaxReceiveBufferPerConnection: maxStreams * streamWindow},
		ErrorLog:    log.New(io.Discard, "", 0),
		BaseContext: func(net.Listener) context.Context { return ctx },
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed || state == http.StateHijacked {
				over()
			}
		},
	}
	_ = server.Serve(l) // until over
	cancel()
	h.wait()
	h.up.close()
	_ = conn.Close()
}

// unwrap gives the connection that was accepted.
func unwrap(conn net.Conn) net.Conn {
	if p, ok := conn.(*prefixed); ok {
		return p.Conn
	}
	return conn
}

// single is a listener that accepts one connection, and ends when that is over.
type single struct {
	conn net.Conn
	used bool
	over chan struct{}
}

// Accept gives the connection once.
func (l *single) Accept() (net.Conn, error) {
	if !l.used {
		l.used = true
		return l.conn, nil
	}
	<-l.over
	return nil, net.ErrClosed
}

// Close does nothing: the connection ends by itself.
func (l *single) Close() error { return nil }

// Addr is the address that the connection came to.
func (l *single) Addr() net.Addr { return l.conn.LocalAddr() }

func (h *h2) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.streams++
	}
	return !h.closed
}

func (h *h2) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.streams--
	if h.closed && h.streams == 0 {
		close(h.idle)
	}
}

// wait lets no stream begin any more and waits for those that have.
func (h *h2) wait() {
	h.mu.Lock()
	h.closed = true
	if h.streams == 0 {
		close(h.idle)
	}
	h.mu.Unlock()
	<-h.idle
}

// ServeHTTP serves one stream. To abort it, it panics with http.ErrAbortHandler, as net/http wants.
func (h *h2) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !h.enter() {
		panic(http.ErrAbortHandler)
	}
	defer h.leave()
	s := newStream(h, w, r)
	defer s.finish()
	s.serve()
}
