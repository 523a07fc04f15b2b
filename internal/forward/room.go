package forward

import "sync"

const (
	// maxStreams is how many requests a client may have under way on one connection of HTTP/2.
	maxStreams = 1000
	// streamWindow is how much of one body, of a request or a response, may have come and wait to be passed on, in bytes.
	streamWindow = 1 << 20
	// maxUnread is how much of all bodies of requests may wait so, in bytes.
	maxUnread = 256 << 20
)

// room bounds what all clients of HTTP/2 have sent of bodies and nobody has read: those of requests that a fault holds, or
// that an upstream takes slowly. Connections have window enough for all their streams, so that no stream takes it from
// another; what that could add up to is bounded here. A connection that finds no room is not read until there is.
type room struct {
	mu   sync.Mutex
	used int64
	bell bell
}

// take takes n bytes, and says whether there were as many.
func (r *room) take(n int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.used > 0 && r.used+n > maxUnread {
		return false
	}
	r.used += n
	return true
}

// await takes n bytes, and waits for them until over.
func (r *room) await(n int64, over <-chan struct{}) bool {
	for {
		given := r.bell.wait()
		if r.take(n) {
			return true
		}
		select {
		case <-given:
		case <-over:
			return false
		}
	}
}

// give gives bytes back.
func (r *room) give(n int64) {
	if n == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used -= n
	r.bell.ring()
}

// bell wakes all who wait for a change. Who takes a channel before looking misses none.
type bell struct {
	mu sync.Mutex
	c  chan struct{} // nil while nobody waits
}

func (b *bell) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.c == nil {
		b.c = make(chan struct{})
	}
	return b.c
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.c != nil {
		close(b.c)
		b.c = nil
	}
}
