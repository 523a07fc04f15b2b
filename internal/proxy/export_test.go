package proxy

import (
	"time"
)

// SetClock replaces the clock of leases.
func (o *Options) SetClock(clock func() time.Duration) { o.clock = clock }

// Shares gives how much each of n lines, one after the other, may take of what they share in steps.
func Shares(shared, step int64, n int) []int64 {
	all := &budget{limit: shared}
	taken := make([]int64, n)
	for i := range taken {
		own := &budget{limit: wayBudget, parent: all}
		for own.take(step) {
			taken[i] += step
		}
	}
	return taken
}
