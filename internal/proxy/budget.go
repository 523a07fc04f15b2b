package proxy

import (
	"sync"
	"sync/atomic"
)

// Memory limits of the delay lines, in bytes. A full line stops reading; it never drops. Each way of a connection has a
// limit of its own: with a common one, the way to a peer that answers before it reads on could hold all of it, while
// the peer waits until the way back is read. For the same reason a line that holds nothing may always take one chunk,
// whatever the others hold.
const (
	serverBudget = 256 << 20 // of all connections together
	wayBudget    = 4 << 20   // of one way of a connection
)

// budget bounds the bytes that are held.
type budget struct {
	limit  int64
	used   atomic.Int64
	parent *budget // also asked; may be nil
}

// take reserves n bytes, or nothing.
func (b *budget) take(n int64) bool {
	if b.used.Add(n) > b.limit || b.parent != nil && !b.parent.take(n) {
		b.used.Add(-n)
		return false
	}
	return true
}

// owe reserves n bytes, whether there is room or not.
func (b *budget) owe(n int64) { b.give(-n) }

// give returns n bytes.
func (b *budget) give(n int64) {
	for ; b != nil; b = b.parent {
		b.used.Add(-n)
	}
}

// bufferSize is the most that one read takes, in bytes.
const bufferSize = 32 << 10

type buffer [bufferSize]byte

// bufferPool lends buffers, so that an idle connection holds none.
type bufferPool struct{ pool sync.Pool }

func (p *bufferPool) get() *buffer {
	if b, ok := p.pool.Get().(*buffer); ok {
		return b
	}
	return new(buffer)
}

func (p *bufferPool) put(b *buffer) {
	if b != nil {
		p.pool.Put(b)
	}
}
