package registry

import (
	"math"
	"time"

	"mishap/internal/forward"
	"mishap/internal/proxy/fault"
)

const (
	maxUnits    = 1 << 18          // whose failures are remembered
	retryWindow = 10 * time.Second // a request of a unit so soon after a failure of it is no first attempt
)

// firstAttempts tells requests that follow on a failure of their unit from others.
type firstAttempts struct {
	single bool              // every request is a unit of its own
	failed map[uint64]uint32 // by unit: when it last failed, in milliseconds, or 0
	capped bool
}

func newFirstAttempts(a fault.Arms) *firstAttempts {
	key, _ := forward.ParseKey(a.Key) // which is checked
	return &firstAttempts{single: key.Single(), failed: make(map[uint64]uint32)}
}

// meet says whether the unit is new, and whether its request is a first attempt. Beyond maxUnits every unit is known, and
// every request a first attempt.
func (f *firstAttempts) meet(unit uint64, at time.Duration) (isNew, first bool) {
	switch {
	case f.single:
		return true, true
	case f.failed == nil: // it came as the arms ended
		return false, true
	}
	failed, known := f.failed[unit]
	switch {
	case known:
		return false, failed == 0 || at-time.Duration(failed)*time.Millisecond > retryWindow
	case len(f.failed) == maxUnits:
		f.capped = true
		return false, true
	}
	f.failed[unit] = 0
	return true, true
}

func (f *firstAttempts) fail(unit uint64, at time.Duration) {
	if _, known := f.failed[unit]; known {
		f.failed[unit] = uint32(min(1+at/time.Millisecond, math.MaxUint32))
	}
}

func (f *firstAttempts) forget() { f.failed = nil }
