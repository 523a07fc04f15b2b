package proxy

import (
	"errors"
	"io"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// spliceBatch is how many bytes one splice moves before the pump looks at the size of reads again.
const spliceBatch = 1 << 20

// errOver says that the connection was ended from elsewhere.
var errOver = errors.New("the connection is over")

// writeError is a failure of the destination; other errors of a pump are of its source.
type writeError struct{ error }

func (e writeError) Unwrap() error { return e.error }

// pump moves the bytes of one direction of a connection, from src to dst.
type pump struct {
	way      Direction
	src, dst *source
	pool     *bufferPool
	budget   *budget
	plan     atomic.Pointer[plan] // what the pump is to do
	current  atomic.Pointer[plan] // what the pump does now
	ended    atomic.Bool
	line     *delayLine
	changed  chan struct{} // plan may have changed; for emptied alone
	full     bool          // reading has stopped because there is no room; counted once
}

func newPump(way Direction, src, dst *source, server *budget, done <-chan struct{}) *pump {
	own := &budget{limit: wayBudget, parent: server}
	p := &pump{way: way, src: src, dst: dst, pool: src.pool, budget: own, changed: make(chan struct{}, 1)}
	idle := make(chan struct{})
	close(idle)
	p.line = &delayLine{
		plan: &p.plan, budget: own, pool: p.pool, done: done, start: time.Now(), idle: idle,
		wake: make(chan struct{}, 1), room: make(chan struct{}, 1),
		send:   func(b []byte) error { _, err := dst.conn.Write(b); return err },
		failed: src.interrupt,
	}
	return p
}

// change gives the pump a new plan and never blocks.
func (p *pump) change(next *plan) {
	if p.plan.Load().equal(next) {
		return
	}
	p.plan.Store(next)
	p.src.interrupt()
	signal(p.line.wake)
	signal(p.changed)
}

// obeys says whether the plan in use holds the fault, or no byte can come any more that it would concern.
func (p *pump) obeys(f *active) bool { return p.ended.Load() || p.current.Load().has(f) }

// run moves bytes until the stream ends or fails, and gives io.EOF after it has passed on the end.
func (p *pump) run() error {
	err := p.loop()
	p.line.stop(err)
	_ = p.line.drained()
	if errors.Is(err, io.EOF) {
		p.dst.closeWrite()
	}
	p.ended.Store(true)
	return err
}

// loop follows the plan, whichever it is, until the stream ends or fails.
func (p *pump) loop() error {
	for {
		p.src.clear()
		if err := p.line.failure(); err != nil {
			return err
		}
		next := p.plan.Load()
		if next == nil && !p.emptied() {
			continue
		}
		p.current.Store(next)
		move := p.pass
		if next != nil {
			move = p.delay
		}
		if err := move(); !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
}

// emptied waits until the delay line is empty, so that bytes which are passed on cannot overtake it. It is false if the
// plan may have changed before.
func (p *pump) emptied() bool {
	select {
	case <-p.line.idling():
		return true
	case <-p.changed:
		return false
	}
}

// pass hands bytes on as they come: through a buffer while they come in small pieces, in the kernel when they do not.
func (p *pump) pass() error {
	for {
		buf, n, err := p.src.read(nil, false)
		if err != nil {
			return err
		}
		_, err = p.dst.conn.Write(buf[:n])
		p.pool.put(buf)
		if err != nil {
			return writeError{err}
		}
		if n < bufferSize {
			continue
		}
		if err := p.splice(); err != nil {
			return err
		}
	}
}

// splice moves up to spliceBatch bytes without copying them, where the system can.
func (p *pump) splice() error {
	n, err := p.dst.conn.ReadFrom(&io.LimitedReader{R: p.src.conn, N: spliceBatch})
	switch {
	case err == nil && n < spliceBatch:
		return p.src.end()
	case err == nil, errors.Is(err, os.ErrDeadlineExceeded):
		return err
	case !p.src.endSent.Load() && tcpClosed(p.src.conn):
		return syscall.ECONNRESET
	default: // the error does not say whose it is, but the source is well
		return writeError{err}
	}
}

// delay puts bytes into the delay line until the plan changes.
func (p *pump) delay() error {
	for {
		buf, n, err := p.src.read(p.budget, !p.line.holds())
		switch {
		case err == nil:
			p.full = false
			err = p.line.push(buf, n)
		case errors.Is(err, errFull):
			if !p.full {
				p.full = true
				p.plan.Load().overflowed()
			}
			err = p.line.awaitRoom()
		case errors.Is(err, os.ErrDeadlineExceeded):
			return err
		default:
			if err := p.line.pushEnd(err); err != nil {
				return err
			}
			return p.line.drained()
		}
		if err != nil {
			return err
		}
	}
}
