package fault

// Direction says which way the bytes go that a fault is meant for.
type Direction string

// The directions of a fault: towards the upstream, towards the client, or both ways.
const (
	Upstream   Direction = "upstream"
	Downstream Direction = "downstream"
	Both       Direction = "both"
)

// Covers says whether a fault of direction d is meant for bytes that go the way of one pump.
func (d Direction) Covers(way Direction) bool { return d == Both || d == way }

// Draws are the random numbers of one way of one connection: the same fault, seed, connection and way draw the same.
type Draws struct{ key uint64 }

// NewDraws gives those of one way of the connection with that number.
func NewDraws(seed, connection uint64, way Direction) Draws {
	return Draws{mix(mix(seed, connection), uint64(len(way)))}
}

// unit is the draw with that number, in [0, 1).
func (d Draws) unit(number uint64) float64 { return unit(mix(d.key, number)) }

// mix hashes two numbers into one (the finaliser of SplitMix64).
func mix(a, b uint64) uint64 {
	z := a + 0x9e3779b97f4a7c15*(b+1)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// unit maps a hash to [0, 1).
func unit(h uint64) float64 { return float64(h>>11) / (1 << 53) }
