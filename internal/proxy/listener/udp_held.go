package listener

import (
	"bytes"
	"container/heap"
	"context"
	"time"

	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/registry"
	"mishap/internal/proxy/stream"
)

// held is a datagram that is late.
type held struct {
	client *client
	way    fault.Direction
	number uint64 // on its way of its client
	order  uint64 // of its arrival
	data   []byte
	read   time.Time
	wait   time.Duration // that its faults ask for
	by     []*registry.Active
	due    time.Time
}

func (h *held) cost() int64 { return int64(len(h.data)) + stream.Overhead }

// heldQueue is a heap: what is due first is first, and of those due at the same time what came first.
type heldQueue []*held

func (q heldQueue) Len() int { return len(q) }

func (q heldQueue) Less(i, j int) bool {
	if q[i].due.Equal(q[j].due) {
		return q[i].order < q[j].order
	}
	return q[i].due.Before(q[j].due)
}

func (q heldQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push is for container/heap.
func (q *heldQueue) Push(x any) { *q = append(*q, x.(*held)) }

// Pop is for container/heap.
func (q *heldQueue) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return last
}

// pass lets a datagram go at once, later or never, as the faults of the moment want.
func (l *UDP) pass(c *client, way fault.Direction, data []byte) {
	if l.judge(c, way, data) {
		l.send(c, way, data)
	}
}

// judge says whether a datagram goes at once. If not it is lost or held.
func (l *UDP) judge(c *client, way fault.Direction, data []byte) (now bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := &held{client: c, way: way, number: c.sent[way], order: l.arrived, read: time.Now()}
	c.latest = h.read
	c.sent[way]++
	l.arrived++
	for _, f := range l.faults {
		wait, lost, concerned := h.meets(f)
		switch {
		case !concerned:
		case lost:
			c.touch(f)
			f.Counters.Lost(len(data))
			return false
		case wait > 0:
			h.wait += wait
			h.by = append(h.by, f)
		}
	}
	if h.wait == 0 {
		return true
	}
	h.data, h.due = bytes.Clone(data), h.read.Add(h.wait)
	l.hold(h)
	return false
}

// meets says what a fault wants of a datagram, if it concerns it.
func (h *held) meets(f *registry.Active) (wait time.Duration, lost, concerned bool) {
	if !f.Direction.Covers(h.way) || !f.Hits(h.client.number) {
		return 0, false, false
	}
	// Only what takes datagrams is put in, see takes.
	wait, lost = f.Effect.(fault.Datagrams).Datagram(fault.NewDraws(f.Seed, h.client.number, h.way), h.number)
	return wait, lost, true
}

// touch counts a client, once for each fault.
func (c *client) touch(f *registry.Active) {
	if _, ok := c.touched[f.Counters]; !ok {
		c.touched[f.Counters] = struct{}{}
		f.Counters.Touched()
	}
}

// hold keeps a datagram until it is due. Without room for it, it is lost as on a router, and counted.
func (l *UDP) hold(h *held) {
	for _, f := range h.by {
		h.client.touch(f)
	}
	if !l.shared.Budget.Take(h.cost()) {
		for _, f := range h.by {
			f.Counters.Overflowed()
		}
		return
	}
	heap.Push(&l.held, h)
	stream.Signal(l.wake)
}

// Set makes all datagrams obey these faults, and no others, also those that are held.
func (l *UDP) Set(faults []*registry.Active) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = faults
	for _, h := range l.held {
		before := h.by
		h.wait, h.by = 0, nil
		for _, f := range faults {
			if wait, _, _ := h.meets(f); wait > 0 {
				h.wait += wait
				h.by = append(h.by, f)
				h.client.touch(f)
			}
		}
		h.due = h.read.Add(h.wait)
		countFlushed(before, h.by)
	}
	heap.Init(&l.held)
	stream.Signal(l.wake)
}

// countFlushed counts a datagram for the faults that held it and are over.
func countFlushed(before, now []*registry.Active) {
	stays := make(map[*registry.Counters]bool)
	for _, f := range now {
		stays[f.Counters] = true
	}
	for _, f := range before {
		if !stays[f.Counters] {
			f.Counters.Flushed(1)
		}
	}
}

// release sends what is due until ctx is done.
func (l *UDP) release(ctx context.Context) {
	alarm := l.shared.Clock.Alarm()
	defer alarm.Stop()
	for {
		h, wait := l.due()
		if h != nil {
			l.send(h.client, h.way, h.data)
			l.shared.Budget.Give(h.cost())
			continue
		}
		alarm.Reset(wait)
		select {
		case <-alarm.C:
		case <-l.wake:
		case <-ctx.Done():
			return
		}
	}
}

// due takes the next datagram that is due, or says when to look again.
func (l *UDP) due() (*held, time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.held) == 0 {
		return nil, time.Hour
	}
	h := l.held[0]
	waited := time.Since(h.read)
	if waited < h.wait {
		return nil, h.wait - waited
	}
	heap.Pop(&l.held)
	for _, f := range h.by {
		f.Counters.Piece(fault.Piece{Size: len(h.data)}, true, h.wait, waited)
	}
	return h, 0
}
