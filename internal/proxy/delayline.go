package proxy

import (
	"bytes"
	"sync"
	"sync/atomic"
	"time"
)

const (
	chunkOverhead = 96                         // bytes that the queue needs for a chunk besides its data
	chunkCost     = bufferSize + chunkOverhead // the most that a chunk costs, in bytes
	fullPause     = 10 * time.Millisecond      // how long a full line waits before it looks at the budgets again
)

// chunk is what one read brought, or the end of the stream. Times are since the line's start.
type chunk struct {
	data      []byte
	buf       *buffer // that data lies in; nil if data has memory of its own
	number    uint64
	read, due time.Duration
	requested time.Duration
	end       error // io.EOF, or how the source failed; such a chunk has no data
}

// cost is what the chunk takes from the budget, in bytes.
func (c chunk) cost() int64 {
	switch {
	case c.end != nil:
		return 0
	case c.buf != nil:
		return chunkCost
	default:
		return int64(len(c.data)) + chunkOverhead
	}
}

// delayLine holds the chunks of one direction in order and lets each go when it is due, never earlier. While it holds
// something, one goroutine (drain) sends. A new plan also holds for what is queued: every chunk is due when the new
// plan says, counted from when it was read, but not before the one ahead of it.
type delayLine struct {
	plan   *atomic.Pointer[plan] // the pump's, which may change at any time
	budget *budget
	pool   *bufferPool
	send   func([]byte) error // may block; called without the lock
	failed func()             // called once, when send has failed
	done   <-chan struct{}    // closed when the connection is over
	start  time.Time
	wake   chan struct{} // the plan may have changed
	room   chan struct{} // something was sent

	mu     sync.Mutex
	seen   *plan // the plan that the queue is timed by
	queue  []chunk
	head   int // of the queue; what lies before it is sent
	last   time.Duration
	number uint64
	idle   chan struct{} // closed while drain is not running
	busy   bool          // drain is running
	err    error         // how the line ended: the end of the source, or a failed send
}

// sinceStart is the line's clock.
func (l *delayLine) sinceStart() time.Duration { return time.Since(l.start) }

// push queues what was read. buf holds n bytes and chunkCost bytes are reserved for it. The line takes both over.
func (l *delayLine) push(buf *buffer, n int) error {
	c := chunk{data: buf[:n], buf: buf, read: l.sinceStart()}
	if n < bufferSize/2 { // a small chunk must not hold a large buffer
		c.data, c.buf = bytes.Clone(c.data), nil
		l.pool.put(buf)
		l.budget.give(chunkCost - c.cost())
	}
	return l.append(c)
}

// pushEnd queues the end of the stream: it too is delayed.
func (l *delayLine) pushEnd(end error) error { return l.append(chunk{end: end, read: l.sinceStart()}) }

func (l *delayLine) append(c chunk) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		l.release(c)
		return l.err
	}
	l.sync()
	c.number = l.number
	l.number++
	l.queue = append(l.queue, l.timed(c))
	if !l.busy {
		l.busy, l.idle = true, make(chan struct{})
		go l.drain()
	}
	return nil
}

// timed sets when a chunk is due, after all chunks timed before it.
func (l *delayLine) timed(c chunk) chunk {
	c.requested = l.seen.sample(c.number)
	l.last = max(l.last, c.read+c.requested)
	c.due = l.last
	return c
}

// sync times the queue anew if the plan has changed.
func (l *delayLine) sync() {
	next := l.plan.Load()
	if next == l.seen {
		return
	}
	l.seen.flushed(next, len(l.queue)-l.head)
	l.seen, l.last = next, 0
	for i := l.head; i < len(l.queue); i++ {
		l.queue[i] = l.timed(l.queue[i])
	}
}

// drain sends what is due until the queue is empty, the stream has ended or the connection is over.
func (l *delayLine) drain() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		c, by, wait, ok := l.next()
		if !ok {
			return
		}
		if wait > 0 {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-l.wake:
			case <-l.done:
				l.stop(errOver)
			}
			continue
		}
		if c.end != nil {
			l.stop(c.end)
			continue
		}
		by.delayed(len(c.data), c.requested, l.sinceStart()-c.read) // before the send: what a peer has got is counted
		err := l.send(c.data)
		l.release(c)
		if err != nil {
			l.stop(writeError{err})
			l.failed()
			continue
		}
		signal(l.room)
	}
}

// next takes the chunk at the head and the plan that timed it, or says how long it has to wait. When nothing is left to
// do it ends the drain: ok is false.
func (l *delayLine) next() (c chunk, by *plan, wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil || l.head == len(l.queue) {
		l.busy = false
		close(l.idle)
		return chunk{}, nil, 0, false
	}
	l.sync()
	c = l.queue[l.head]
	if wait := c.due - l.sinceStart(); wait > 0 {
		return chunk{}, nil, wait, true
	}
	l.queue[l.head] = chunk{}
	l.head++
	l.compact()
	return c, l.seen, 0, true
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
	if l.err != nil {
		return
	}
	l.err = cause
	for _, c := range l.queue[l.head:] {
		l.release(c)
	}
	l.queue, l.head = nil, 0
}

// release returns a chunk's memory.
func (l *delayLine) release(c chunk) {
	l.pool.put(c.buf)
	l.budget.give(c.cost())
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

// holds says whether the line still has something to send.
func (l *delayLine) holds() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.busy
}

// signal pokes whoever waits on c, without waiting for them.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
