package forward

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"time"
)

// errClientGone says that the client has reset its connection.
var errClientGone = errors.New("the client is gone")

// conn is one HTTP/1 client and its upstream. One goroutine serves it, request after request; a second one sends a
// request's body where that does not come with the head, and a third may watch the client while it waits.
type conn struct {
	srv    *Server
	ctx    context.Context
	cancel context.CancelCauseFunc
	detach func() bool // from ctx
	client *source
	addr   netip.Addr
	number uint64

	mu    sync.Mutex // what the watcher shares
	up    *source    // nil while there is none; only the serving goroutine changes it
	watch watch

	// Of the exchange under way.
	req, res         head
	reqHead          []byte // the bytes of req
	reqBody, resBody body
	out              []byte // a head that is being written; has the size of a small buffer
	sending          bool   // a goroutine sends the body of the request
	sent             chan error
	decision         decision
	exchange         Exchange
	last             string // the last path, and the last host: most often the next is the same
	lastHost         string
}

func newConn(ctx context.Context, s *Server, client net.Conn) *conn {
	c := &conn{srv: s, client: newSource(client, &s.pool), addr: addrOf(client), number: s.number.Add(1),
		sent: make(chan error, 1)}
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	c.detach = context.AfterFunc(c.ctx, c.abortBoth)
	c.watch.init(c)
	return c
}

// abortBoth resets both sides. Whoever reads or writes then fails.
func (c *conn) abortBoth() {
	c.client.abort()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.up != nil {
		c.up.abort()
	}
}

// close gives back all but the client's connection.
func (c *conn) close() {
	c.watch.close()
	c.detach()
	c.cancel(nil)
	c.drop()
	c.client.release()
}

// serve answers requests until the connection ends. It is true if the client turns out to speak HTTP/2, of which nothing
// is used then.
func (c *conn) serve() (isHTTP2 bool) {
	if c.isPreface() {
		return true
	}
	for c.next() {
	}
	return false
}

// isPreface reads until it is known whether the first bytes are the preface of HTTP/2.
func (c *conn) isPreface() bool {
	late := false
	defer func() {
		if late {
			c.client.resume()
		}
	}()
	for {
		p := c.client.pending()
		n := min(len(p), len(preface))
		if n > 0 && string(p[:n]) != preface[:n] {
			return false
		}
		if n == len(preface) {
			return true
		}
		if n > 0 && !late {
			late = c.headDeadline()
		}
		if c.client.fill() != nil {
			return false
		}
	}
}

// next serves one request, and says whether another can follow.
func (c *conn) next() bool {
	if err := c.readRequest(); err != nil {
		c.refuse(err)
		return false
	}
	c.begin()
	again := c.forward()
	c.finish()
	return again
}

// readRequest reads the head of a request. One empty line before it is let through (RFC 9112, 2.2).
func (c *conn) readRequest() error {
	c.req.reset(false)
	skipped, late := false, false
	for {
		p := c.client.pending()
		if !skipped && len(p) > 1 && p[0] == '\r' && p[1] == '\n' {
			c.client.skip(2)
			skipped = true
			continue
		}
		done, err := c.req.parse(p)
		if done {
			c.reqHead = p[:c.req.size]
			c.client.skip(int(c.req.size))
		}
		if done || err != nil {
			if late {
				c.client.resume()
			}
			return err
		}
		if len(p) > 0 && !late {
			late = c.headDeadline()
		}
		if err := c.client.fill(); err != nil {
			return c.whyNoHead(err)
		}
	}
}

func (c *conn) headDeadline() bool {
	if c.srv.HeaderTimeout <= 0 {
		return false
	}
	return c.client.conn.SetReadDeadline(time.Now().Add(c.srv.HeaderTimeout)) == nil
}

// whyNoHead says what the end of the bytes means for a request that is not complete.
func (c *conn) whyNoHead(err error) error {
	begun := len(c.client.pending()) > 0
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refuse(http.StatusRequestTimeout, "the request took too long to come")
	case errors.Is(err, io.EOF) && begun:
		return malformed("the request ends in its head")
	}
	return err
}

// refuse answers a request that could not be read, and ends the connection.
func (c *conn) refuse(err error) {
	var why *refusal
	if !errors.As(err, &why) {
		return // the connection is over, or was never used
	}
	c.exchange = Exchange{Version: 1, Source: c.addr, GRPC: -1, Start: time.Now(), Failure: BadRequest}
	c.reqBody, c.resBody = body{}, body{}
	if why.status == http.StatusRequestTimeout {
		c.exchange.Failure = RequestTimeout
	}
	c.out = c.srv.pool.get(smallBuffer)[:0]
	c.answerError(why.status, why.why)
	c.decision.reset(c.srv)
	c.finish()
}

// begin makes ready for the exchange whose request has been read.
func (c *conn) begin() {
	c.out = c.srv.pool.get(smallBuffer)[:0]
	c.exchange = Exchange{Version: 1, Source: c.addr, GRPC: -1, Start: time.Now(), Method: c.method(), Path: c.path(),
		Host: c.host()}
	c.exchange.Note = c.srv.note(asked{c})
	c.reqBody, c.resBody = bodyOf(&c.req, c.exchange.Method), body{}
	c.decision.reset(c.srv)
}

// finish reports the exchange.
func (c *conn) finish() {
	if c.sending { // the exchange has failed
		c.drop()
	}
	c.decision.end()
	c.srv.pool.put(c.out)
	c.out = nil
	if !c.decision.observed(c.srv) {
		return
	}
	x := &c.exchange
	x.Left = c.watch.leftAfter(x.Start)
	x.Sent, x.Received = c.reqBody.content, c.resBody.content
	c.decision.report(c.srv, x)
}

// method avoids a new string for the methods that are used.
func (c *conn) method() string {
	switch b := c.reqHead[:c.req.methodEnd]; string(b) {
	case http.MethodGet:
		return http.MethodGet
	case http.MethodHead:
		return http.MethodHead
	case http.MethodPost:
		return http.MethodPost
	case http.MethodPut:
		return http.MethodPut
	case http.MethodPatch:
		return http.MethodPatch
	case http.MethodDelete:
		return http.MethodDelete
	case http.MethodOptions:
		return http.MethodOptions
	default:
		return string(b)
	}
}

func (c *conn) path() string {
	target := c.reqHead[c.req.target:c.req.targetEnd]
	if target[0] != '/' && target[0] != '*' {
		if _, target, _ = splitAbsolute(target); len(target) == 0 || target[0] == '?' {
			return "/"
		}
	}
	if i := bytes.IndexByte(target, '?'); i >= 0 {
		target = target[:i]
	}
	if string(target) != c.last {
		c.last = string(target)
	}
	return c.last
}

func (c *conn) host() string {
	if !c.req.oneHost {
		return ""
	}
	if host := c.req.host.valueOf(c.reqHead); string(host) != c.lastHost {
		c.lastHost = string(host)
	}
	return c.lastHost
}

// answered is the head of the response as it came.
type answered struct {
	*conn
	head     []byte
	replaced bool // the body is another
}

func (a answered) field(name string, n int) (value string, next int, ok bool) {
	for ; n < len(a.res.fields); n++ {
		if f := a.res.fields[n]; foldEqual(f.nameOf(a.head), name) && (!a.replaced || name != "Content-Encoding") {
			return string(f.valueOf(a.head)), n + 1, true
		}
	}
	return "", n, false
}

// asked is the request as rules see it.
type asked struct{ *conn }

func (a asked) method() string     { return a.exchange.Method }
func (a asked) path() string       { return a.exchange.Path }
func (a asked) host() string       { return a.exchange.Host }
func (a asked) source() netip.Addr { return a.addr }
func (a asked) connection() uint64 { return a.number }

func (a asked) field(name string, n int) (value string, next int, ok bool) {
	for ; n < len(a.req.fields); n++ {
		if f := a.req.fields[n]; foldEqual(f.nameOf(a.reqHead), name) {
			return string(f.valueOf(a.reqHead)), n + 1, true
		}
	}
	return "", n, false
}
