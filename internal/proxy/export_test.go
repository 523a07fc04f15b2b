package proxy

import "time"

// SetClock replaces the clock of leases.
func (o *Options) SetClock(clock func() time.Duration) { o.clock = clock }
