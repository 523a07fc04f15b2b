package forward

import "sync"

// tunnel passes on that the upstream has changed the protocol, and then bytes, both ways, until both have ended. The end
// of one way ends that way alone; a reset resets the other side.
func (c *conn) tunnel() bool {
	if err := c.join(); err != nil {
		c.client.abort()
		return false
	}
	b := c.up.pending()[:c.res.size]
	c.out = c.appendResponse(c.out[:0], b, false, nil)
	c.up.skip(len(b))
	c.exchange.Status = c.res.status
	if _, err := c.client.conn.Write(c.out); err != nil {
		c.exchange.Failure = ClientGone
		return false
	}
	c.headSent()
	up, down := body{framing: byClose}, body{framing: byClose}
	var both sync.WaitGroup
	both.Go(func() { c.pipe(c.up, c.client, &up) })
	both.Go(func() { c.pipe(c.client, c.up, &down) })
	both.Wait()
	c.reqBody.content, c.resBody.content = up.content, down.content
	return false
}

// pipe moves the bytes of one way.
func (c *conn) pipe(dst, src *source, b *body) {
	if err := c.srv.copyBody(dst.conn, src, b, nil); err != nil {
		c.abortBoth()
		return
	}
	dst.closeWrite()
}
