package forward

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

// Protocol is what the upstream speaks with clients that speak HTTP/2. Clients that speak HTTP/1 always get HTTP/1.
type Protocol uint8

const (
	// SameProtocol speaks HTTP/2 with the upstream: with prior knowledge, or as a TLS handshake has agreed.
	SameProtocol Protocol = iota
	// HTTP1 speaks HTTP/1.1.
	HTTP1
)

// preface is what an HTTP/2 client says first (RFC 9113, 3.4).
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// Server forwards the requests of any number of connections to one upstream. It must not be copied, and its fields not
// be changed, once it serves.
type Server struct {
	// Dial connects to the upstream. It may give a *tls.Conn, handshake done.
	Dial func(context.Context) (net.Conn, error)
	// DialHTTP2 connects for clients of HTTP/2; nil: Dial does.
	DialHTTP2 func(context.Context) (net.Conn, error)
	// Faults are in force on all connections. Nil means none ever.
	Faults *Board
	// Observe is called when an exchange is over, from the goroutine that serves it, which it must not hold up. Nil: not.
	Observe func(*Exchange)
	// Edge says that the clients are outside: members of baggage that are ours are taken out of what they send.
	Edge bool
	// Egress says that the upstream is outside: members of baggage that are ours are taken out of what it gets.
	Egress bool
	// Identify is called when a request has been read; what it gives is the Note of the exchange. It is called for every
	// request and must be quick. Nil: not.
	Identify func(Incoming) any
	// Crowded is called when a connection of HTTP/2 is not read for a while, because too much of the bodies of requests waits
	// to be passed on. Nil: not.
	Crowded func()
	// HeaderTimeout bounds the time from the first byte of a request to the end of its head, and the TLS handshake. 0: no
	// bound. A connection may be idle for ever.
	HeaderTimeout time.Duration
	// Upstream is what to speak with the upstream for clients of HTTP/2.
	Upstream Protocol

	pool     buffers
	none     Board
	room     room
	number   atomic.Uint64 // of connections, for those that have none
	active   atomic.Int64  // requests under way
	draining atomic.Bool
}

// Drain lets every connection end with the response that comes next, which says so. What is under way goes on.
func (s *Server) Drain() { s.draining.Store(true) }

// Active is how many requests are under way.
func (s *Server) Active() int64 { return s.active.Load() }

// board is what is in force.
func (s *Server) board() *Board {
	if s.Faults != nil {
		return s.Faults
	}
	return &s.none
}

// Serve forwards what comes on a connection until it ends, and closes it. When ctx is done, the connection is reset. It
// must be called for a connection from the start; a *tls.Conn need not have done its handshake.
func (s *Server) Serve(ctx context.Context, conn net.Conn) {
	if t, ok := conn.(*tls.Conn); ok {
		if err := s.handshake(ctx, t); err != nil {
			_ = conn.Close()
			return
		}
		if t.ConnectionState().NegotiatedProtocol == "h2" {
			s.serveHTTP2(ctx, conn)
			return
		}
	}
	c := newConn(ctx, s, conn)
	if c.serve() {
		rest := bytes.Clone(c.client.pending())
		c.close()
		s.serveHTTP2(ctx, &prefixed{conn, rest})
		return
	}
	c.close()
	_ = conn.Close()
}

func (s *Server) handshake(ctx context.Context, t *tls.Conn) error {
	if s.HeaderTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.HeaderTimeout)
		defer cancel()
	}
	return t.HandshakeContext(ctx)
}

// addrOf is the address of a peer, invalid if it has none.
func addrOf(conn net.Conn) netip.Addr {
	if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// prefixed is a connection of which some bytes have been read already.
type prefixed struct {
	net.Conn
	rest []byte
}

// Read gives the bytes that were read already first.
func (p *prefixed) Read(b []byte) (int, error) {
	if len(p.rest) > 0 {
		n := copy(b, p.rest)
		p.rest = p.rest[n:]
		return n, nil
	}
	return p.Conn.Read(b)
}
