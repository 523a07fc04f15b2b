package forward

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// maxUpstreams is how many connections that take streams one client of HTTP/2 may cause, where the upstream allows fewer
	// streams on one than the client has.
	maxUpstreams = 100
	// placeWait is how long a request waits for a place among those, before it is refused.
	placeWait = 10 * time.Second
	// dialAgain is how long no connection is tried after one has failed, while others are there.
	dialAgain = time.Second
)

// errNoPlace says that the upstream allowed no more streams, for placeWait.
var errNoPlace = errors.New("the upstream allows no more streams at a time")

// h2Upstream is the upstream of one HTTP/2 client: HTTP/2 connections, most often one, or HTTP/1 connections as they are
// needed. A connection that drains (GOAWAY) keeps its streams, and another takes the new ones; so does another where the
// upstream allows fewer streams than the client has. Nothing waits for the network while it holds a lock.
type h2Upstream struct {
	srv   *Server
	ctx   context.Context // of the client's connection
	tasks sync.WaitGroup
	bell  bell // rings when there may be a place

	mu      sync.Mutex
	conns   []*upstreamConn
	http1   *http.Transport // nil unless the upstream speaks HTTP/1
	dialing *dialing        // nil: nobody dials
	failed  time.Time       // when a dial last did
}

// dialing is one connection that is being made, for all who wait for it.
type dialing struct {
	done chan struct{}
	err  error // once done
}

// route is what sends a request.
type route struct {
	http.RoundTripper
	scheme  string
	http1   bool
	started func() // must be called once the stream has begun, or the request is over
}

// reserve gives what sends one request, and must be used for one. It connects if need be.
func (u *h2Upstream) reserve(ctx context.Context) (*route, error) {
	var since time.Time // when it began to wait for a place
	var tick <-chan time.Time
	for {
		changed := u.bell.wait()
		r, busy, d, alone := u.find()
		if r != nil {
			return r, nil
		}
		var turn chan<- struct{}
		if busy != nil {
			turn = busy.starting
		}
		var dialed chan struct{}
		switch {
		case d != nil:
			dialed = d.done
		case since.IsZero():
			since = time.Now()
			ticker := time.NewTicker(dialAgain)
			defer ticker.Stop()
			tick = ticker.C
		case time.Since(since) >= placeWait:
			return nil, errNoPlace
		}
		select {
		case turn <- struct{}{}:
			if r, ok := busy.place(); ok {
				return r, nil
			}
		case <-dialed:
			if d.err != nil && alone {
				return nil, d.err
			}
		case <-changed:
		case <-tick:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// find gives the route for a request that there is a place for; else the connection that has one when another request has
// begun; else who connects now, if that helps. alone says that there is no connection besides that takes streams now or later.
func (u *h2Upstream) find() (r *route, busy *upstreamConn, d *dialing, alone bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.http1 == nil && u.srv.Upstream == HTTP1 {
		u.http1 = u.newHTTP1(nil)
	}
	if u.http1 != nil {
		return &route{u.http1, "http", true, func() {}}, nil, nil, false
	}
	full, useless, kept := 0, false, u.conns[:0]
	for i, c := range u.conns {
		state, r := c.state()
		if state != connOver {
			kept = append(kept, c)
		}
		switch state {
		case connOver:
			u.tasks.Go(func() { _ = c.Close() })
		case connTakes:
			u.conns = append(kept, u.conns[i+1:]...)
			return r, nil, nil, false
		case connBusy:
			busy = c
		case connFull:
			full++
		case connClosed: // so another would be too
			useless = true
		}
	}
	clear(u.conns[len(kept):])
	u.conns = kept
	alone = full == 0 && !useless && busy == nil
	if u.dialing == nil && !useless && busy == nil && u.ctx.Err() == nil && full < maxUpstreams && (alone || time.Since(u.failed) > dialAgain) {
		u.dialing = &dialing{done: make(chan struct{})}
		u.tasks.Go(u.dial)
	}
	return nil, busy, u.dialing, alone
}

// dial makes one connection. It is bounded by the dialer, and ends with the client.
func (u *h2Upstream) dial() {
	c, http1, err := u.connect()
	u.mu.Lock()
	defer u.mu.Unlock()
	d := u.dialing
	u.dialing, d.err = nil, err
	switch {
	case err != nil:
		u.failed = time.Now()
	case http1 != nil:
		u.http1 = u.newHTTP1(http1)
	default:
		u.conns = append(u.conns, c)
	}
	close(d.done)
}

// connect gives a connection that speaks HTTP/2, or HTTP/1 if the upstream wants that.
func (u *h2Upstream) connect() (c *upstreamConn, http1 net.Conn, err error) {
	dial := u.srv.Dial
	if u.srv.DialHTTP2 != nil {
		dial = u.srv.DialHTTP2
	}
	conn, err := dial(u.ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("dial upstream: %w", err)
	}
	if t, secure := conn.(*tls.Conn); secure && t.ConnectionState().NegotiatedProtocol != "h2" {
		return nil, conn, nil
	}
	c, err = openHTTP2(u.ctx, conn, &u.bell)
	return c, nil, err
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

// close ends all connections. The context is done by then, and with it what connects.
func (u *h2Upstream) close() {
	u.tasks.Wait()
	for _, c := range u.conns {
		u.tasks.Go(func() { _ = c.Close() })
	}
	u.tasks.Wait()
	if u.http1 != nil {
		u.http1.CloseIdleConnections()
	}
}
