package registry

import (
	"mishap/internal/forward"
	"mishap/internal/proxy/fault"
)

const maxUnits = 1 << 18 // that are told apart

// knownUnits tells units that come for the first time from others.
type knownUnits struct {
	single bool // every request is a unit of its own
	units  map[uint64]struct{}
	capped bool // there were more than are told apart
}

func newKnownUnits(a fault.Arms) *knownUnits {
	key, _ := forward.ParseKey(a.Key) // which is checked
	return &knownUnits{single: key.Single(), units: make(map[uint64]struct{})}
}

// meet says whether the unit is new. Beyond maxUnits every unit is known.
func (k *knownUnits) meet(unit uint64) (isNew bool) {
	switch _, known := k.units[unit]; {
	case k.single:
		return true
	case known, k.units == nil: // it came as the arms ended
		return false
	case len(k.units) == maxUnits:
		k.capped = true
		return false
	}
	k.units[unit] = struct{}{}
	return true
}

func (k *knownUnits) forget() { k.units = nil }
