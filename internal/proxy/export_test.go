package proxy

import (
	"bytes"
	"time"

	"mishap/internal/proxy/fault"
)

// SetClock replaces the clock of leases.
func (o *Options) SetClock(clock func() time.Duration) { o.clock = clock }

// Decode reads a fault as the control API does, up to the registry.
func Decode(id string, body []byte) (fault.Fault, error) {
	f, err := decodeFault(id, bytes.NewReader(body))
	if err != nil {
		return f, err
	}
	f = f.WithDefaults()
	return f, f.Check()
}

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
