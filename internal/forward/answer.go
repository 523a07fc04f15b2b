package forward

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"
)

const (
	maxDrain    = 256 << 10              // bytes of a request's body that are read to keep its connection
	lingerLimit = 500 * time.Millisecond // how long a client may take to read the answer before the connection is closed
)

// answer passes the response on whose head has been read, and says whether another request can follow.
func (c *conn) answer() bool {
	c.resBody = bodyOf(&c.res, c.exchange.Method)
	if !c.hold(afterUpstream, c.now()) {
		return false
	}
	changes := c.decision.find((*Rule).changesBody)
	replace := c.decision.find(func(r *Rule) bool { return r.ReplaceBody != nil })
	if c.resBody.framing == noBody {
		changes, replace = nil, nil
	}
	last := c.srv.draining.Load() || c.req.minor == 0 || c.req.closes || c.resBody.framing == byClose && replace == nil ||
		c.sending && (c.req.continues || c.res.closes)
	b := c.up.pending()[:c.res.size]
	c.out = c.appendResponse(c.out[:0], b, last, replace)
	c.decision.looks(answered{c, b, replace != nil}, c.resBody.framing == byChunks && replace == nil)
	c.up.skip(len(b))
	c.exchange.Status = c.res.status
	var err error
	if changes == nil {
		err = c.pass()
	} else {
		err = c.passChanged(replace)
	}
	if err != nil {
		c.breakOff(err)
		return false
	}
	return c.settle(last)
}

// now is the time, if it matters: whether a fault could make the response wait.
func (c *conn) now() time.Time {
	if len(c.decision.board.load().faults) == 0 {
		return time.Time{}
	}
	return time.Now()
}

// pass sends the head, and the body as it comes. What has come with the head goes with it.
func (c *conn) pass() error {
	p := c.up.pending()
	n, bad := c.resBody.take(p[:min(len(p), max(cap(c.out)-len(c.out), 0))], math.MaxInt64)
	if _, err := c.client.conn.Write(append(c.out, p[:n]...)); err != nil {
		return sinkError{err}
	}
	c.decision.seen.keep(p[:n])
	c.up.skip(n)
	c.headSent()
	if bad != nil || c.resBody.done() {
		return bad
	}
	return c.srv.copyBody(c.client.conn, c.up, &c.resBody, &c.decision.seen)
}

func (c *conn) headSent() {
	if c.decision.observed(c.srv) {
		c.exchange.Head = time.Since(c.exchange.Start)
		c.decision.answered(&c.exchange)
	}
}

// breakOff ends a response that has begun in such a way that the client does not take it for whole.
func (c *conn) breakOff(err error) {
	var sink sinkError
	var bad *refusal
	switch {
	case errors.Is(err, errCut):
		c.exchange.Failure = Truncated
		settleOutput(c.client.tcp)
	case errors.As(err, &sink), c.ctx.Err() != nil:
		c.exchange.Failure = ClientGone
	case errors.As(err, &bad):
		c.exchange.Failure = BadResponse
	default:
		c.exchange.Failure = UpstreamGone
	}
	c.client.abort()
}

// settle ends an exchange whose response has gone out, and decides what becomes of both connections.
func (c *conn) settle(last bool) bool {
	if c.sending {
		// A server that closes early wants no more. One that does not will read what is left.
		sent := error(nil)
		if last || c.res.closes || c.resBody.framing == byClose {
			sent = c.stopSending()
		} else {
			sent = c.join()
		}
		var client clientError
		if errors.As(sent, &client) && !isInterrupt(sent) {
			c.exchange.Failure = BadRequest
			c.client.abort()
			return false
		}
		last = last || sent != nil
	}
	if last || c.res.closes || c.res.minor == 0 || c.resBody.framing == byClose ||
		c.up != nil && len(c.up.pending()) > 0 {
		c.drop()
	}
	if c.up != nil {
		c.up.release() // an idle connection has no buffer
	}
	if last {
		c.linger()
	}
	return !last
}

// linger closes our way to the client and lets it read to the end: to close outright while it still sends would reset
// the connection and take the answer away from it (RFC 9112, 9.6).
func (c *conn) linger() {
	read := c.exchange.Failure != BadRequest && c.exchange.Failure != RequestTimeout && c.reqBody.done()
	if read && len(c.client.pending()) == 0 {
		return
	}
	c.client.closeWrite()
	_ = c.client.conn.SetReadDeadline(time.Now().Add(lingerLimit))
	for drained := 0; drained < maxDrain; {
		drained += len(c.client.pending())
		c.client.skip(len(c.client.pending()))
		if c.client.fill() != nil {
			return
		}
	}
}

// fail answers a request that cannot be served, and ends the connection.
func (c *conn) fail(f Failure, err error) bool {
	if c.ctx.Err() != nil {
		f = ClientGone
	}
	c.exchange.Failure = f
	status, text := http.StatusBadGateway, "the upstream could not be reached"
	switch f {
	case ClientGone:
		c.client.abort()
		return false
	case BadRequest:
		status, text = http.StatusBadRequest, err.Error()
	case UpstreamGone:
		text = "the upstream closed the connection before it answered"
	case BadResponse:
		text = "the upstream's response is malformed: " + err.Error()
	}
	_ = c.stopSending()
	c.answerError(status, text)
	return false
}

// answerError writes an answer of our own, the last on the connection.
func (c *conn) answerError(status int, text string) {
	if c.ctx.Err() != nil {
		return
	}
	text += "\n"
	c.exchange.Status = status
	out := appendStatus(c.out[:0], status)
	out = appendField(out, "Content-Type", "text/plain; charset=utf-8")
	out = appendField(out, "Content-Length", strconv.Itoa(len(text)))
	out = append(out, "Connection: close\r\n\r\n"...)
	if c.exchange.Method != http.MethodHead {
		out = append(out, text...)
	}
	if _, err := c.client.conn.Write(out); err == nil {
		c.headSent()
		c.linger()
	}
}
