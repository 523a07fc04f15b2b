package proxy

import "time"

// SetClock replaces the clock of leases.
func (o *Options) SetClock(clock func() time.Duration) { o.clock = clock }

// Summarize is what a fault would report of delays.
func Summarize(delays []time.Duration) Delays {
	var h histogram
	for _, d := range delays {
		h.add(d)
	}
	return h.summary()
}
