package stream

import "sync/atomic"

// Memory limits of the delay lines, in bytes. A full line stops reading; it never drops. All share what the server may
// hold, and each may hold as much as is left free, or wayBudget: one alone gets half, and those of peers that do not read
// never all. Each way of a connection counts for itself: with a common limit, the way to a peer that answers before it
// reads on could hold all of it, while the peer waits until the way back is read. For the same reason a line that holds
// nothing may always take one chunk, whatever the others hold.
const (
	leastBudget = 256 << 20 // of a server, where memory allows it
	mostBudget  = 2 << 30
	wayBudget   = 1 << 20 // of one way of a connection, as long as there is room at all
)

// serverBudget is what all delay lines together may hold: a quarter of the memory that this process may use, from
// leastBudget to mostBudget, and never more than half of it.
func serverBudget() int64 {
	memory := usableMemory()
	return min(max(memory/4, leastBudget), mostBudget, memory/2)
}

// Budget bounds the bytes that are held.
type Budget struct {
	limit  int64 // with a parent: as long as that has less left
	used   atomic.Int64
	parent *Budget // what is shared; may be nil
}

// Take reserves n bytes, or nothing.
func (b *Budget) Take(n int64) bool {
	limit := b.limit
	if b.parent != nil {
		limit = max(limit, b.parent.limit-b.parent.used.Load())
	}
	if b.used.Add(n) > limit || b.parent != nil && !b.parent.Take(n) {
		b.used.Add(-n)
		return false
	}
	return true
}

// has says whether n bytes could be reserved.
func (b *Budget) has(n int64) bool {
	if !b.Take(n) {
		return false
	}
	b.Give(n)
	return true
}

// owe reserves n bytes, whether there is room or not.
func (b *Budget) owe(n int64) { b.Give(-n) }

// State is how many bytes are held, and of how many.
func (b *Budget) State() (used, limit int64) { return b.used.Load(), b.limit }

// Give returns n bytes.
func (b *Budget) Give(n int64) {
	for ; b != nil; b = b.parent {
		b.used.Add(-n)
	}
}
