package stream

import (
	"cmp"
	"sync"

	"mishap/internal/proxy/fault"
)

// Resources are what all connections of a server share.
type Resources struct {
	Budget Budget // of what is held
	Clock  *Clock
	pool   bufferPool
}

// NewResources are some of which so many bytes may be held; 0 is a part of the machine's memory.
func NewResources(budget int64) *Resources {
	return &Resources{Budget: Budget{limit: cmp.Or(budget, serverBudget())}, Clock: newClock()}
}

// Close gives back what nobody uses any more.
func (r *Resources) Close() { r.pool.pipes.close() }

type buffer [fault.BufferSize]byte

// bufferPool lends buffers, so that an idle connection holds none.
type bufferPool struct {
	pool  sync.Pool
	pipes pipePool
}

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
