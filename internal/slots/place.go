package slots

// Arm is one of the two.
type Arm uint8

// The arms.
const (
	Control Arm = iota
	Experiment
)

// Labels is how many slots of each arm a label of other metrics tells apart: few,
// because each makes series of its own.
const Labels = 64

// Place is where a unit is counted: its arm, its slot there, and which of the
// slot's units it seems to be, which is looked at to count them and is no more
// than five bits of a hash.
type Place struct {
	Arm  Arm
	Slot uint32
	Who  uint8
}

// PlaceOf is the place of a unit whose identity was hashed, among so many slots.
func PlaceOf(arm Arm, hash uint64, slots int) Place {
	return Place{Arm: arm, Slot: Of(hash, slots), Who: uint8(mixed(hash) >> 56)}
}

// Of is the slot of a unit whose identity was hashed, among so many. The hash is
// mixed first, so that it does not matter which of its bits drew the arm.
func Of(hash uint64, slots int) uint32 { return uint32(mixed(hash) % uint64(slots)) }

// mixed is the finaliser of SplitMix64.
func mixed(hash uint64) uint64 {
	hash = (hash ^ hash>>30) * 0xbf58476d1ce4e5b9
	hash = (hash ^ hash>>27) * 0x94d049bb133111eb
	return hash ^ hash>>31
}
