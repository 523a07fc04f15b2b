package stream

import (
	"container/heap"
	"sync"
	"time"
)

// Clock wakes alarms when they are due. The timers of the runtime wait in whole milliseconds when nothing else goes on
// (golang/go#44343); a ticker of the system's, where there is one, does not.
type Clock struct {
	start  time.Time
	ticker ticker // nil: the runtime's timers do

	mu    sync.Mutex
	queue alarmQueue
}

// ticker fires once, at a time from now; it replaces the time that was set before.
type ticker interface {
	set(d time.Duration)
	wait() error // until it fires; an error when it is closed
	close()
}

// Alarm fires once after each Reset. It belongs to one goroutine.
type Alarm struct {
	C     chan struct{} // gets one value when it is due
	clock *Clock
	timer *time.Timer // of a clock without a ticker
	due   time.Duration
	index int // in the queue; -1 outside
}

// newClock makes a clock. Run must be called for its alarms to fire.
func newClock() *Clock {
	c := &Clock{start: time.Now()}
	if t, err := newTicker(); err == nil {
		c.ticker = t
	}
	return c
}

// Run fires alarms until Close.
func (c *Clock) Run() {
	for c.ticker != nil && c.ticker.wait() == nil {
		c.fire()
	}
}

// Close ends Run, after which no alarm fires. It may be called again.
func (c *Clock) Close() {
	if c.ticker != nil {
		c.ticker.close()
	}
}

// fire wakes what is due, and sets the ticker for what is next.
func (c *Clock) fire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Since(c.start)
	for len(c.queue) > 0 && c.queue[0].due <= now {
		Signal(heap.Pop(&c.queue).(*Alarm).C)
	}
	if len(c.queue) > 0 {
		c.ticker.set(c.queue[0].due - now)
	}
}

// Alarm makes an alarm that is not set.
func (c *Clock) Alarm() *Alarm { return &Alarm{C: make(chan struct{}, 1), clock: c, index: -1} }

// Reset lets the alarm fire after d, which is above 0, and not when it was set to before.
func (a *Alarm) Reset(d time.Duration) {
	a.Stop()
	c := a.clock
	if c.ticker == nil {
		a.timer = time.AfterFunc(d, func() { Signal(a.C) })
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	a.due = time.Since(c.start) + d
	heap.Push(&c.queue, a)
	if c.queue[0] == a {
		c.ticker.set(d)
	}
}

// Stop keeps the alarm from firing, and takes back what it has fired.
func (a *Alarm) Stop() {
	if a.timer != nil {
		a.timer.Stop()
	}
	c := a.clock
	c.mu.Lock()
	if a.index >= 0 {
		heap.Remove(&c.queue, a.index)
	}
	c.mu.Unlock()
	select {
	case <-a.C:
	default:
	}
}

// alarmQueue is a heap: what is due first is first.
type alarmQueue []*Alarm

func (q alarmQueue) Len() int { return len(q) }

func (q alarmQueue) Less(i, j int) bool { return q[i].due < q[j].due }

func (q alarmQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push is for container/heap.
func (q *alarmQueue) Push(x any) {
	a := x.(*Alarm)
	a.index = len(*q)
	*q = append(*q, a)
}

// Pop is for container/heap.
func (q *alarmQueue) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	last.index = -1
	return last
}

// Signal pokes whoever waits on c, without waiting for them.
func Signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
