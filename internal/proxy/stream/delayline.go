package stream

import (
	"bytes"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"mishap/internal/proxy/fault"
)

// mostBehind is how many bytes may be due and not sent.
const mostBehind = 1 << 20

// fullPause is how long a full line waits before it looks at the budgets again.
const fullPause = 10 * time.Millisecond

// errHole says that a fault which loses bytes has ended: what follows would not be the stream that was sent.
var errHole = errors.New("bytes of the stream were lost")

// cutError says that a fault has ended the connection.
type cutError struct{ how fault.Ending }

func (e cutError) Error() string { return "the connection was ended by a fault: " + string(e.how) }

// delayLine holds the chunks of one direction in order and lets each go when it is due, never earlier. While it holds
// something, one goroutine (drain) sends. Only the chunk at the head is shaped, so that a new plan holds for all that is
// queued: it is due when the new plan says, counted from when it was read, but not before the one ahead of it.
type delayLine struct {
	plan   *atomic.Pointer[plan] // the pump's, which may change at any time
	budget *Budget
	pool   *bufferPool
	send   func([]byte) error     // may block; called without the lock
	splice func(*pipe, int) error // send for so many bytes of a pipe
	failed func()                 // called once, when the line has ended by itself
	done   <-chan struct{}        // closed when the connection is over
	clock  *Clock
	start  time.Time
	wake   chan struct{} // the plan may have changed
	room   chan struct{} // something was sent

	mu      sync.Mutex
	seen    *plan // the plan that the head is shaped by
	queue   []chunk
	head    int         // of the queue; what lies before it is sent
	current chunk       // that drain is at, taken from the queue
	begun   bool        // there is a current one
	shape   fault.Piece // the head as the plan has shaped it
	shaped  bool
	held    int64         // bytes that are queued or being sent
	last    time.Duration // when the piece before was due
	sending bool          // and it is being sent
	number  uint64
	holed   bool          // bytes were dropped
	idle    chan struct{} // closed while drain is not running
	busy    bool          // drain is running
	err     error         // how the line ended: the end of the source, or a failed send
}

// sinceStart is the line's clock.
func (l *delayLine) sinceStart() time.Duration { return time.Since(l.start) }

// push queues what was read. buf holds n bytes and chunkCost bytes are reserved for it. The line takes both over.
func (l *delayLine) push(buf *buffer, n int) error {
	c := chunk{data: buf[:n], buf: buf, full: n, read: l.sinceStart()}
	if n < fault.BufferSize/2 { // a small chunk must not hold a large buffer
		c.data, c.buf = bytes.Clone(c.data), nil
		l.pool.put(buf)
		l.budget.Give(chunkCost - c.cost())
	}
	return l.append(c)
}

// pushPipe queues the bytes in a pipe, for which as many are reserved as [pipeCost] says.
func (l *delayLine) pushPipe(in *pipe) error {
	return l.append(chunk{pipe: in, left: in.held, full: in.held, read: l.sinceStart()})
}

// pipeCost is what a chunk in a pipe takes from the budget.
func pipeCost(bytes int) int64 { return int64(bytes) + Overhead }

// pushEnd queues the end of the stream: it too is delayed.
func (l *delayLine) pushEnd(end error) error { return l.append(chunk{end: end, read: l.sinceStart()}) }

func (l *delayLine) append(c chunk) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		l.release(c)
		return l.err
	}
	c.number = l.number
	l.number++
	l.held += int64(c.size())
	l.queue = append(l.queue, c)
	if !l.busy {
		l.busy, l.idle = true, make(chan struct{})
		go l.drain()
	}
	return nil
}

// drain sends what is due until the queue is empty, the stream has ended or the connection is over.
func (l *delayLine) drain() {
	alarm := l.clock.Alarm()
	defer alarm.Stop()
	for {
		out, wait, ok := l.next()
		switch {
		case !ok:
			return
		case wait > 0:
			alarm.Reset(wait)
			select {
			case <-alarm.C:
			case <-l.wake:
			case <-l.done:
				l.stop(errOver)
			}
			continue
		case out.end != nil:
			l.stop(out.end)
			continue
		}
		if err := l.let(out); err != nil {
			l.stop(err)
			l.failed()
			continue
		}
		Signal(l.room)
	}
}

// let sends a piece, and says how the connection ends if that is due.
func (l *delayLine) let(out outgoing) error {
	var err error
	switch {
	case out.pipe != nil && out.Drop:
		err = out.pipe.discard(out.Size)
	case out.pipe != nil:
		err = l.splice(out.pipe, out.Size)
	case len(out.data) > 0 && !out.Drop:
		err = l.send(out.data)
	}
	if err != nil {
		return writeError{err}
	}
	if out.Last != fault.GoesOn {
		return cutError{out.Last}
	}
	return nil
}

// next takes the piece at the head, or says how long it has to wait. When nothing is left to do it ends the drain: ok is
// false. What it gives is counted before it is sent: what a peer has got is counted.
func (l *delayLine) next() (out outgoing, wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.finish()
	l.adopt()
	l.sending = false
	if l.err != nil || !l.begin() {
		l.giveUp()
		l.busy = false
		close(l.idle)
		return outgoing{}, 0, false
	}
	if !l.shaped {
		l.shape, l.shaped = l.seen.shape(l.current.unshaped()), true
	}
	p, now := l.shape, l.sinceStart()
	requested := p.At - l.current.read
	p.At = max(p.At, l.last)
	if wait := p.At - now; wait > 0 {
		return outgoing{}, wait, true
	}
	l.shaped, l.last, l.sending = false, p.At, true
	l.seen.sent(p, now, requested, now-l.current.read)
	out = l.current.cut(p)
	l.held -= int64(p.Size)
	l.holed = l.holed || p.Drop
	return out, 0, true
}

// begin takes the next chunk from the queue if the current one is over, and says whether there is one.
func (l *delayLine) begin() bool {
	if l.begun {
		return true
	}
	if l.head == len(l.queue) {
		return false
	}
	l.current, l.begun = l.queue[l.head], true
	l.queue[l.head] = chunk{}
	l.head++
	l.compact()
	return true
}

// finish gives back the memory of a chunk of which everything is sent.
func (l *delayLine) finish() {
	if l.begun && l.current.size() == 0 && l.current.end == nil {
		l.giveUp()
	}
}

// giveUp lets the current chunk go, if there is one; nobody is sending of it.
func (l *delayLine) giveUp() {
	if l.begun {
		l.release(l.current)
		l.current, l.begun, l.shaped = chunk{}, false, false
	}
}

// adopt shapes the head anew if the plan has changed.
func (l *delayLine) adopt() {
	next := l.plan.Load()
	if next == l.seen {
		return
	}
	l.seen.flushed(next, l.waiting())
	l.seen, l.shaped, l.last = next, false, 0
	if l.holed && !next.dropping() && l.err == nil {
		l.end(errHole)
		l.failed()
	}
}

// waiting counts the chunks that are not sent.
func (l *delayLine) waiting() int {
	n := len(l.queue) - l.head
	if l.begun && l.current.end == nil {
		n++
	}
	return n
}

// compact gives up the part of the queue that is sent.
func (l *delayLine) compact() {
	const small = 64
	switch {
	case l.head == len(l.queue) && cap(l.queue) > small:
		l.queue, l.head = nil, 0
	case l.head == len(l.queue):
		l.queue, l.head = l.queue[:0], 0
	case l.head > small && l.head > len(l.queue)/2:
		l.queue, l.head = append([]chunk(nil), l.queue[l.head:]...), 0
	}
}

// stop ends the line and drops what is queued. Only the first cause counts.
func (l *delayLine) stop(cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end(cause)
}

// end is stop under the lock. What drain is sending is left to it.
func (l *delayLine) end(cause error) {
	if l.err != nil {
		return
	}
	l.err = cause
	for _, c := range l.queue[l.head:] {
		l.release(c)
	}
	l.queue, l.head, l.held = nil, 0, 0
}

// release returns a chunk's memory.
func (l *delayLine) release(c chunk) {
	l.pool.put(c.buf)
	l.pool.pipes.put(c.pipe)
	l.budget.Give(c.cost())
}

// awaitRoom waits until there may be room, which other connections may have to make.
func (l *delayLine) awaitRoom() error {
	pause := time.NewTimer(fullPause)
	defer pause.Stop()
	select {
	case <-l.room:
	case <-pause.C:
	case <-l.done:
		return errOver
	}
	return l.failure()
}

// drained waits until the line holds nothing and sends nothing, and gives how it ended, if it did.
func (l *delayLine) drained() error {
	<-l.idling()
	return l.failure()
}

// idling gives a channel that is closed once the line holds nothing and sends nothing.
func (l *delayLine) idling() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.idle
}

// failure is how the line ended; nil while it goes on.
func (l *delayLine) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// hole is errHole if bytes were dropped, and are dropped no more under the next plan.
func (l *delayLine) hole(next *plan) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.holed && !next.dropping() {
		return errHole
	}
	return nil
}

// open says whether more may be read: the line holds less than the plan wants to read ahead, and is not behind. Bytes
// that are due and cannot leave, because the peer or the machine is slower than the source, must hold up the source as
// they do without a proxy; else they would pile up, and be later than was asked for.
func (l *delayLine) open(p *plan) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if window := p.ahead(); window > 0 && l.held >= window {
		return false
	}
	return l.held < mostBehind || !l.sending || l.sinceStart()-l.last < p.tolerance()
}

// holds says whether the line still has something to send.
func (l *delayLine) holds() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.busy
}
