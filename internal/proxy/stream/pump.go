package stream

import (
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/registry"
)

// errOver says that the connection was ended from elsewhere.
var errOver = errors.New("the connection is over")

// errAhead says that enough was read ahead of a bottleneck, or of a peer that is slow.
var errAhead = errors.New("enough is read ahead")

// writeError is a failure of the destination; other errors of a pump are of its source.
type writeError struct{ error }

func (e writeError) Unwrap() error { return e.error }

// pump moves the bytes of one direction of a connection, from src to dst.
type pump struct {
	way      fault.Direction
	src, dst *source
	pool     *bufferPool
	budget   *Budget
	plan     atomic.Pointer[plan] // what the pump is to do
	current  atomic.Pointer[plan] // what the pump does now
	ended    atomic.Bool
	line     *delayLine
	changed  chan struct{} // plan may have changed; for emptied alone
	full     bool          // reading has stopped because there is no room; counted once
	rest     leftover      // what a new plan kept from being passed on
	piped    *pipe         // and what of it is in the kernel
	traffic  wayTraffic

	mu      sync.Mutex
	writing bool // pass is in a write, which a new plan interrupts
}

// leftover is the end of a buffer that was read and not yet written.
type leftover struct {
	buf  *buffer
	data []byte
}

func newPump(way fault.Direction, src, dst *source, on *Resources, done <-chan struct{}) *pump {
	own := &Budget{limit: wayBudget, parent: &on.Budget}
	p := &pump{way: way, src: src, dst: dst, pool: src.pool, budget: own, changed: make(chan struct{}, 1)}
	idle := make(chan struct{})
	close(idle)
	p.line = &delayLine{
		plan: &p.plan, budget: own, clock: on.Clock, pool: p.pool, done: done, start: time.Now(), idle: idle,
		wake: make(chan struct{}, 1), room: make(chan struct{}, 1),
		send:   p.send,
		splice: func(out *pipe, n int) error { p.traffic.sent.Add(uint64(n)); return dst.spliceOut(out, n) },
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
	p.interruptWrite()
	Signal(p.line.wake)
	Signal(p.changed)
}

// interruptWrite ends the write of pass, if it is in one: a peer that does not read must not keep a new plan out. The
// delay line's writes are never interrupted.
func (p *pump) interruptWrite() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.writing {
		_ = p.dst.conn.SetWriteDeadline(time.Unix(1, 0))
	}
}

// write passes bytes on, unless a new plan comes; then it gives what is left.
func (p *pump) write(b []byte) (rest []byte, err error) {
	n := 0
	err = p.interruptibly(func() (err error) { n, err = p.dst.conn.Write(b); return err })
	p.traffic.sent.Add(uint64(n))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return b[n:], err
	}
	return nil, err
}

// interruptibly sends, unless a new plan comes: then it gives os.ErrDeadlineExceeded.
func (p *pump) interruptibly(send func() error) error {
	p.mu.Lock()
	if p.plan.Load() != p.current.Load() {
		p.mu.Unlock()
		return os.ErrDeadlineExceeded
	}
	p.writing = true
	p.mu.Unlock()
	err := send()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writing = false
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errors.Join(err, p.dst.conn.SetWriteDeadline(time.Time{}))
	case err != nil:
		return writeError{err}
	}
	// A plan that came after the last byte may have set it.
	if p.plan.Load() != p.current.Load() {
		_ = p.dst.conn.SetWriteDeadline(time.Time{})
	}
	return nil
}

// obeys says whether the plan in use holds the fault, or no byte can come any more that it would concern.
func (p *pump) obeys(f *registry.Active) bool { return p.ended.Load() || p.current.Load().has(f) }

// run moves bytes until the stream ends or fails, and gives io.EOF after it has passed on the end.
func (p *pump) run() error {
	err := p.loop()
	p.line.stop(err)
	_ = p.line.drained()
	p.pool.pipes.put(p.piped)
	p.piped = nil
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
		if err := p.line.hole(next); err != nil {
			return err
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
	if r := p.rest; r.buf != nil {
		if err := p.passOn(r.buf, r.data); err != nil {
			return err
		}
	}
	if p.piped != nil {
		if err := p.spliceOn(p.piped); err != nil {
			return err
		}
	}
	for {
		buf, n, err := p.src.read(nil, false)
		if err != nil {
			return err
		}
		p.traffic.received.Add(uint64(n))
		if err := p.passOn(buf, buf[:n]); err != nil {
			return err
		}
		if n < fault.BufferSize {
			continue
		}
		if err := p.splice(); err != nil {
			return err
		}
	}
}

// splice moves bytes without copying them, until they come in small pieces, or the system cannot.
func (p *pump) splice() error {
	for {
		in, err := p.src.splice()
		if errors.Is(err, errNoPipe) {
			return nil
		}
		if err != nil {
			return err
		}
		n := in.held
		p.traffic.received.Add(uint64(n))
		if err := p.spliceOn(in); err != nil || n < fault.BufferSize {
			return err
		}
	}
}

// spliceOn passes on what a pipe holds, and keeps what a new plan leaves of it.
func (p *pump) spliceOn(out *pipe) error {
	p.piped = out
	held := out.held
	err := p.interruptibly(func() error { return p.dst.spliceOut(out, held) })
	p.traffic.sent.Add(uint64(held - out.held))
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		p.piped = nil
		p.pool.pipes.put(out)
	}
	return err
}

// passOn writes what lies in a buffer, and keeps what a new plan leaves of it.
func (p *pump) passOn(buf *buffer, data []byte) error {
	rest, err := p.write(data)
	if rest != nil {
		p.rest = leftover{buf, rest}
		return err
	}
	p.rest = leftover{}
	p.pool.put(buf)
	return err
}

// delay puts bytes into the delay line until the plan changes.
func (p *pump) delay() error {
	if r := p.rest; r.buf != nil {
		p.rest = leftover{}
		p.budget.owe(chunkCost)
		if err := p.line.push(r.buf, copy(r.buf[:], r.data)); err != nil {
			return err
		}
	}
	if err := p.takeBack(); err != nil {
		return err
	}
	current := p.current.Load()
	p.src.most = int(min(current.ahead(), fault.BufferSize))
	defer func() { p.src.most = 0 }()
	bulk := false
	for {
		err := errAhead
		if p.line.open(current) {
			bulk, err = p.fetch(current, bulk)
		}
		switch {
		case err == nil:
			p.full = false
		case errors.Is(err, errFull), errors.Is(err, errAhead):
			p.overflow(err)
			if err = p.line.awaitRoom(); err == nil && p.plan.Load() != p.current.Load() {
				return os.ErrDeadlineExceeded // as if the read, which has not been tried, had been interrupted
			}
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

// takeBack puts what a plan without faults has left in the kernel into the delay line.
func (p *pump) takeBack() error {
	out := p.piped
	if out == nil {
		return nil
	}
	p.piped = nil
	p.budget.owe(pipeCost(out.held))
	return p.line.pushPipe(out)
}

// fetch reads what comes into the delay line: into a pipe after a read that was full, where there is room for it.
func (p *pump) fetch(current *plan, bulk bool) (full bool, err error) {
	if !bulk || current.ahead() > 0 || !p.budget.has(pipeCost(pipeSize)) {
		buf, n, err := p.src.read(p.budget, !p.line.holds())
		if err != nil {
			return false, err
		}
		p.traffic.received.Add(uint64(n))
		return n == fault.BufferSize, p.line.push(buf, n)
	}
	in, err := p.src.splice()
	switch {
	case errors.Is(err, errNoPipe):
		return false, nil
	case err != nil:
		return false, err
	}
	n := in.held
	p.traffic.received.Add(uint64(n))
	p.budget.owe(pipeCost(n)) // which was there before it waited for bytes; nothing is reserved meanwhile
	return n >= fault.BufferSize, p.line.pushPipe(in)
}

// overflow counts, once, that reading has stopped for want of room. To read no further ahead of a bottleneck is what
// was asked for.
func (p *pump) overflow(why error) {
	if errors.Is(why, errFull) && !p.full {
		p.full = true
		p.plan.Load().overflowed()
	}
}
