package forward

import (
	"errors"
	"io"
	"math"
	"net"
	"time"
)

const (
	paceSteps  = 20                     // pieces per second of a body that is slowed down
	settleStep = 200 * time.Microsecond // between two looks at whether a peer has taken what was sent
	settleMost = time.Second
)

// errCut says that a fault has cut the body.
var errCut = errors.New("a fault has cut the body")

// passChanged sends the head, and the body as faults want it.
func (c *conn) passChanged(replace *Rule) error {
	src := c.up
	if replace != nil {
		c.resBody = body{framing: byLength, left: int64(len(replace.ReplaceBody))}
		src = &source{buf: replace.ReplaceBody, w: len(replace.ReplaceBody)}
		defer c.drop() // what the upstream has sent, or will send, is not read
	}
	if _, err := c.client.conn.Write(c.out); err != nil {
		return sinkError{err}
	}
	c.headSent()
	pace := pacer{decision: &c.decision, asked: asked{c}}
	for !c.resBody.done() {
		if len(src.pending()) == 0 {
			if pace.next(c.resBody.content) == 0 && c.resBody.more(false) {
				return errCut
			}
			err := src.fill()
			if errors.Is(err, io.EOF) {
				if err = c.resBody.end(); err == nil {
					break
				}
			}
			if err != nil {
				return err
			}
		}
		if err := c.passPiece(src, &pace); err != nil {
			return err
		}
	}
	return nil
}

// passPiece sends the next piece of what is pending, when it is due.
func (c *conn) passPiece(src *source, pace *pacer) error {
	for len(src.pending()) > 0 && !c.resBody.done() {
		most := pace.next(c.resBody.content)
		if most == 0 && c.resBody.more(true) {
			return errCut
		}
		p := src.pending()
		n, bad := c.resBody.take(p[:min(len(p), smallBuffer)], most)
		if pace.rate > 0 {
			c.watch.start(c.stillSending())
			err := pace.wait(c.resBody.content, c.ctx.Done())
			c.watch.stop()
			if err != nil {
				return sinkError{err}
			}
		}
		if n > 0 {
			if _, err := c.client.conn.Write(p[:n]); err != nil {
				return sinkError{err}
			}
			c.decision.seen.keep(p[:n])
			src.skip(n)
		}
		if bad != nil {
			return bad
		}
		if n == 0 { // the end of a line is missing
			return src.fill()
		}
	}
	return nil
}

// pacer says how much of a body may go, and when. It follows the faults: their end speeds the body up at once.
type pacer struct {
	decision *decision
	asked    request
	rate     int64     // in force since the time since, when from bytes had gone
	since    time.Time //
	from     int64
}

// next is how many bytes may go together after sent have gone; 0 if no more may go.
func (p *pacer) next(sent int64) (most int64) {
	p.follow(sent)
	most = math.MaxInt64
	for r := range p.decision.rules {
		if r.TruncateBody != nil {
			most = min(most, max(*r.TruncateBody-sent, 0))
		}
	}
	if p.rate > 0 {
		most = min(most, max(p.rate/paceSteps, 1))
	}
	return most
}

// follow takes up the lowest rate of the moment.
func (p *pacer) follow(sent int64) {
	p.decision.follow(p.asked)
	rate := int64(0)
	for r := range p.decision.rules {
		if r.Rate > 0 && (rate == 0 || r.Rate < rate) {
			rate = r.Rate
		}
	}
	if rate != p.rate {
		p.rate, p.since, p.from = rate, time.Now(), sent
	}
}

// wait waits until the bytes up to sent are due.
func (p *pacer) wait(sent int64, gone <-chan struct{}) error {
	if p.rate == 0 {
		return nil
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for p.rate > 0 {
		due := time.Duration(float64(sent-p.from) / float64(p.rate) * float64(time.Second))
		left := due - time.Since(p.since)
		if left <= 0 {
			return nil
		}
		timer.Reset(left)
		select {
		case <-timer.C:
		case <-p.decision.set.changed:
			p.follow(p.from)
		case <-gone:
			return errClientGone
		}
	}
	return nil
}

// settleOutput waits until the peer has got what was sent, so that a reset does not take it away, but not for long.
func settleOutput(conn *net.TCPConn) {
	if conn == nil {
		return
	}
	for end := time.Now().Add(settleMost); unsent(conn) > 0 && time.Now().Before(end); {
		time.Sleep(settleStep)
	}
}
