package forward

import "sync"

const (
	// maxStreams is how many requests a client may have under way on one connection of HTTP/2.
	maxStreams = 1000
	// streamWindow is how much of one body, of a request or a response, may have come and wait to be passed on, in bytes.
	streamWindow = 1 << 20
	// maxUnread is how much of all bodies of requests may wait so, in bytes; twice that while pieces come at the same time.
	maxUnread = 256 << 20
)

// room bounds what all clients of HTTP/2 have sent of bodies and nobody has read: those of requests that a fault holds, or
// that an upstream takes slowly. Connections have window enough for all their streams, so that no stream takes it from
// another; what that could add up to is bounded here. A connection that finds no room is not read until there is.
type room struct {
	mu      sync.Mutex
	used    int64
	waiting int64 // connections
	bell    bell
}

// take takes n bytes, and waits for them until over.
func (r *room) take(n int64, over <-chan struct{}) bool {
	for waits := false; ; waits = true {
		r.mu.Lock()
		if waits {
			r.waiting--
		}
		if r.used == 0 || r.used+n <= maxUnread {
			r.used += n
			r.mu.Unlock()
			return true
		}
		r.waiting++
		given := r.bell.wait()
		r.mu.Unlock()
		select {
		case <-given:
		case <-over:
			r.mu.Lock()
			defer r.mu.Unlock()
			r.waiting--
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

// Unread is how many bytes of bodies have come over HTTP/2 and wait to be passed on, and how many connections are not read
// because that is too much.
func (s *Server) Unread() (bytes, waiting int64) {
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	return s.room.used, s.room.waiting
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
