package forward

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
)

// h2Upstream is the upstream of one HTTP/2 client: one HTTP/2 connection, or HTTP/1 connections as they are needed.
// Requests are never sent twice over HTTP/2.
type h2Upstream struct {
	srv *Server
	ctx context.Context // of the client's connection

	mu     sync.Mutex
	conn   *http.ClientConn // takes new streams; nil if there is none, or the upstream speaks HTTP/1
	scheme string           // of conn
	all    []*http.ClientConn
	http1  *http.Transport
}

// errGiven says that a connection has been given away already.
var errGiven = errors.New("the connection is in use")

// ready gives what sends a request, and the scheme that it is sent with. It connects if need be.
func (u *h2Upstream) ready() (rt http.RoundTripper, scheme string, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.http1 != nil:
		return u.http1, "http", nil
	case u.srv.Upstream == HTTP1:
		u.http1 = u.newHTTP1(nil)
		return u.http1, "http", nil
	case u.conn != nil && u.conn.Err() == nil:
		return u.conn, u.scheme, nil
	}
	dial := u.srv.Dial
	if u.srv.DialHTTP2 != nil {
		dial = u.srv.DialHTTP2
	}
	conn, err := dial(u.ctx)
	if err != nil {
		return nil, "", fmt.Errorf("dial upstream: %w", err)
	}
	t, secure := conn.(*tls.Conn)
	if secure && t.ConnectionState().NegotiatedProtocol != "h2" {
		u.http1 = u.newHTTP1(conn)
		return u.http1, "http", nil
	}
	u.scheme = "http"
	if secure {
		u.scheme = "https"
	}
	if u.conn, err = newHTTP2(u.ctx, conn, u.scheme); err != nil {
		_ = conn.Close()
		u.conn = nil
		return nil, "", fmt.Errorf("open HTTP/2: %w", err)
	}
	u.all = append(u.all, u.conn)
	return u.conn, u.scheme, nil
}

// newHTTP2 speaks HTTP/2 on a connection, without more ado if it is not encrypted.
func newHTTP2(ctx context.Context, conn net.Conn, scheme string) (*http.ClientConn, error) {
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	give := giveOnce(conn, func(context.Context) (net.Conn, error) { return nil, errGiven })
	t := &http.Transport{DialContext: give, DialTLSContext: give, Protocols: protocols, DisableCompression: true,
		MaxResponseHeaderBytes: maxHead}
	return t.NewClientConn(ctx, scheme, "upstream:80")
}

// newHTTP1 speaks HTTP/1.1 on any number of connections, of which one may be there already.
func (u *h2Upstream) newHTTP1(first net.Conn) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{DialContext: giveOnce(first, u.srv.Dial), Protocols: protocols, DisableCompression: true,
		MaxResponseHeaderBytes: maxHead, MaxIdleConnsPerHost: 100}
}

// giveOnce dials by giving conn, if there is one, and then by next.
func giveOnce(conn net.Conn, next func(context.Context) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	var mu sync.Mutex
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		mu.Lock()
		given := conn
		conn = nil
		mu.Unlock()
		if given != nil {
			return given, nil
		}
		return next(ctx)
	}
}

// close ends all connections.
func (u *h2Upstream) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, c := range u.all {
		_ = c.Close()
	}
	if u.http1 != nil {
		u.http1.CloseIdleConnections()
	}
}

func (u *h2Upstream) isHTTP1() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.http1 != nil
}
