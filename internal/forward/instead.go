package forward

import (
	"math"
	"net/http"
	"strconv"
)

// instead does what a rule wants in place of asking the upstream, and says whether another request can follow.
func (c *conn) instead(r *Rule) bool {
	if r.Abort {
		c.exchange.Failure = Aborted
		c.client.abort()
		return false
	}
	if _, err := c.reqBody.takeBuffered(c.client); err != nil {
		return c.fail(BadRequest, err)
	}
	last := c.srv.draining.Load() || c.req.minor == 0 || c.req.closes ||
		!c.reqBody.done() && (c.req.continues || c.reqBody.left > maxDrain)
	status, header, content := r.answer()
	c.exchange.Status = status
	out := appendEdit(appendStatus(c.out[:0], status), header)
	if status != http.StatusNoContent && status != http.StatusNotModified {
		out = appendField(out, "Content-Length", strconv.Itoa(len(content)))
	}
	if last {
		out = append(out, "Connection: close\r\n"...)
	}
	out = append(out, "\r\n"...)
	if c.exchange.Method != http.MethodHead {
		out = append(out, content...)
		c.resBody.content = int64(len(content))
	}
	c.out = out
	c.decision.looks(given(header), false)
	c.decision.seen.keep(content)
	if _, err := c.client.conn.Write(out); err != nil {
		c.exchange.Failure = ClientGone
		return false
	}
	c.headSent()
	last = last || !c.drain()
	if last {
		c.linger()
	}
	return !last
}

// answer is what a rule with an answer says.
func (r *Rule) answer() (status int, header []Field, content []byte) {
	if r.Reply != nil {
		return r.Reply.Status, r.Reply.Header, r.Reply.Body
	}
	return http.StatusOK, r.GRPC.fields(), nil
}

// fields are the header of a response that has trailers only (gRPC over HTTP/2, "Responses").
func (s *GRPCStatus) fields() []Field {
	return []Field{
		{"Content-Type", "application/grpc"},
		{"Grpc-Status", strconv.FormatUint(uint64(s.Code), 10)},
		{"Grpc-Message", percentEncode(s.Message)},
	}
}

// percentEncode encodes what gRPC does not allow in a message: all but the printable ASCII, and the percent sign.
func percentEncode(s string) string {
	const digits = "0123456789ABCDEF"
	out := make([]byte, 0, len(s))
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' || c == '%' {
			out = append(out, '%', digits[c>>4], digits[c&15])
			continue
		}
		out = append(out, c)
	}
	return string(out)
}

// takeBuffered drops what has come of a body already.
func (b *body) takeBuffered(s *source) (n int, err error) {
	n, err = b.take(s.pending(), math.MaxInt64)
	s.skip(n)
	return n, err
}

// drain reads a body that nobody wants, if it is not too long, so that the next request can be found behind it.
func (c *conn) drain() bool {
	for !c.reqBody.done() {
		if c.reqBody.content > maxDrain || c.client.fill() != nil {
			return false
		}
		if _, err := c.reqBody.takeBuffered(c.client); err != nil {
			return false
		}
	}
	return true
}
