package keeper

import "time"

// deadline is a moment on two clocks: the one that goes on while the machine
// sleeps, and the wall clock. The first to pass wins, so that a clock that was
// set forward ends a fault early and never late.
type deadline struct {
	boot int64
	wall time.Time
}

func after(d time.Duration) deadline {
	return deadline{boot: bootNanos() + int64(d), wall: time.Now().Round(0).Add(d)}
}

func (d deadline) passed() bool {
	return bootNanos() >= d.boot || !time.Now().Round(0).Before(d.wall)
}
