package forward

import (
	"errors"
	"io"
	"math"
	"net/http"
	"time"
)

// clientError is a failure of the client's side; other errors of a body that is sent are of the upstream.
type clientError struct{ error }

func (e clientError) Unwrap() error { return e.error }

// forward serves the request that has been read, and says whether another can follow.
func (c *conn) forward() bool {
	if !c.holdBefore() {
		return false
	}
	if r := c.decision.find((*Rule).ends); r != nil {
		return c.instead(r)
	}
	c.watch.start(false)
	failure, err := c.ask()
	c.watch.stop()
	if failure != None {
		return c.fail(failure, err)
	}
	if c.res.status == http.StatusSwitchingProtocols {
		return c.tunnel()
	}
	return c.answer()
}

// ends says whether the request goes no further than here.
func (r *Rule) ends() bool { return r.Abort || r.Reply != nil || r.GRPC != nil }

// holdBefore keeps the request for as long as faults want. It is false if the client leaves.
func (c *conn) holdBefore() bool {
	c.decision.begin(asked{c}, c.exchange.Start)
	return c.hold(beforeUpstream, c.exchange.Start)
}

func (c *conn) hold(p phase, since time.Time) bool {
	r := asked{c}
	if !c.decision.holds(r, p) {
		return true
	}
	c.watch.start(c.stillSending())
	err := c.decision.hold(c.ctx, r, p, since)
	c.watch.stop()
	if err != nil {
		c.exchange.Failure = ClientGone
	}
	return err == nil
}

// ask sends the request and reads the head of the response, interim ones aside. A request that an idle connection did not
// take is sent again, over a new one, if the upstream cannot have seen it, or if it may see it twice (RFC 9110, 9.2.2).
func (c *conn) ask() (Failure, error) {
	for {
		// Nothing is used up yet: should a connection fail at once, the next gets the same.
		whole := c.reqBody
		n, err := whole.take(c.client.pending(), math.MaxInt64)
		if err != nil {
			return BadRequest, err
		}
		reused, err := c.connect()
		if err != nil {
			return Unreachable, err
		}
		c.out = c.appendRequest(c.out[:0])
		if room := cap(c.out) - len(c.out); n > room {
			whole, n = c.reqBody, 0 // goes on its own
		}
		written, err := c.up.conn.Write(append(c.out, c.client.pending()[:n]...))
		if err != nil && written == 0 && reused {
			c.drop()
			continue
		}
		if err != nil && whole.done() {
			c.drop()
			return UpstreamGone, err
		}
		c.reqBody = whole
		c.client.skip(n)
		if whole.done() {
			c.watch.sent()
		} else {
			c.startSending()
		}
		before := c.up.consumed
		failure, err := c.readResponse()
		again := reused && failure == UpstreamGone && c.up.consumed == before && c.repeatable()
		if failure != None {
			c.drop()
		}
		if !again {
			return failure, err
		}
	}
}

// repeatable says whether the request has the same effect if it is done twice.
func (c *conn) repeatable() bool {
	switch c.exchange.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return c.reqBody.framing == noBody && !c.watch.ended.Load()
	}
	return false
}

// connect makes sure that there is a connection to the upstream, and says whether it has served before.
func (c *conn) connect() (reused bool, err error) {
	if c.up != nil {
		if !c.up.endSent.Load() && !c.up.unusable() {
			return true, nil
		}
		c.drop()
	}
	conn, err := c.srv.Dial(c.ctx)
	if err != nil {
		return false, err
	}
	up := newSource(conn, &c.srv.pool)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.up, c.watch.asked = up, false
	if c.ctx.Err() != nil { // abortBoth may have come too early for this one
		up.abort()
	}
	return false, nil
}

// drop closes the connection to the upstream, if there is one. One that is in the middle of something sees a reset.
func (c *conn) drop() {
	c.mu.Lock()
	up := c.up
	c.up = nil
	c.mu.Unlock()
	if up == nil {
		return
	}
	whole := !c.sending && c.reqBody.done() && c.resBody.done()
	if !whole {
		up.abort()
	}
	_ = c.stopSending()
	_ = up.conn.Close()
	up.release()
}

// startSending lets a goroutine send what is left of the request's body, so that the response can come before it ends.
func (c *conn) startSending() {
	c.reqHead = append([]byte(nil), c.reqHead...) // the buffer that it lies in is needed
	c.sending = true
	up := c.up
	c.watch.stop()
	c.watch.start(true)
	go func() {
		err := c.srv.copyBody(up.conn, c.client, &c.reqBody, nil)
		var sink sinkError
		switch {
		case err == nil:
			c.watch.sent()
			c.watch.free()
		case !errors.As(err, &sink):
			err = clientError{err}
			up.abort() // the upstream must not take what it has for the whole
		}
		c.sent <- err
	}()
}

// stillSending says whether a goroutine reads from the client.
func (c *conn) stillSending() bool { return c.sending && len(c.sent) == 0 }

// join waits until nobody sends a body any more, and says how that ended.
func (c *conn) join() error {
	if !c.sending {
		return nil
	}
	err := <-c.sent
	c.sending = false
	return err
}

// stopSending ends the sending of a body that nobody waits for.
func (c *conn) stopSending() error {
	if !c.sending {
		return nil
	}
	c.client.interrupt()
	defer c.client.resume()
	return c.join()
}

// readResponse reads heads from the upstream up to the final one, and passes the others on (RFC 9110, 15.2).
func (c *conn) readResponse() (Failure, error) {
	for {
		c.res.reset(true)
		for {
			done, err := c.res.parse(c.up.pending())
			if err != nil {
				return BadResponse, err
			}
			if done {
				break
			}
			if err := c.up.fill(); err != nil {
				return c.whyNoResponse(err)
			}
		}
		switch {
		case c.res.status == http.StatusSwitchingProtocols && (!c.req.upgrading() || !c.res.upgrade):
			return BadResponse, errors.New("the upstream changes a protocol that nobody asked it to change")
		case c.res.chunked && c.req.minor == 0: // RFC 9112, 6.1
			return BadResponse, errors.New("a client of HTTP/1.0 knows no chunks")
		case c.res.status >= 200, c.res.status == http.StatusSwitchingProtocols:
			return None, nil
		}
		if err := c.passInterim(); err != nil {
			return ClientGone, err
		}
	}
}

func (c *conn) passInterim() error {
	b := c.up.pending()[:c.res.size]
	c.up.skip(len(b))
	if c.res.status == http.StatusContinue {
		c.req.continues = false
	}
	if c.req.minor == 0 {
		return nil
	}
	_, err := c.client.conn.Write(c.res.appendInterim(nil, b))
	return err
}

// whyNoResponse says whose fault it is that there is no head of a response.
func (c *conn) whyNoResponse(err error) (Failure, error) {
	if c.ctx.Err() != nil {
		return ClientGone, err
	}
	if c.sending {
		var client clientError
		var bad *refusal
		c.up.abort()
		sent := c.stopSending()
		switch {
		case errors.As(sent, &bad):
			return BadRequest, sent
		case errors.As(sent, &client) && !isInterrupt(sent):
			return ClientGone, sent
		}
	}
	if errors.Is(err, io.ErrShortBuffer) {
		return BadResponse, err
	}
	return UpstreamGone, err
}
