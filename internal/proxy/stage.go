package proxy

import "time"

// never is when a piece leaves that is held until its fault ends: 36 years after the line began, which leaves room for
// sums.
const never = time.Duration(1 << 60)

// bufferSize is the most that one read takes, in bytes.
const bufferSize = 32 << 10

// piece is what a line lets go next: bytes of one chunk, or the end of the stream. Times are since the line's start.
type piece struct {
	number uint64        // of the chunk; all pieces of a chunk have the same
	size   int           // bytes, 0 of the end
	at     time.Duration // when it is to leave
	end    bool          // it is the end of the stream
	drop   bool          // it goes nowhere
	last   ending        // how the connection ends after it
}

// stage is what one fault does to the bytes of one way of one connection. A line calls it under its lock, for one piece
// after the other.
type stage interface {
	// most says how many bytes of the piece may leave at once; p.size if it does not matter.
	most(p piece) int

	// shape changes when and whether a piece leaves, and says whether it did. It may be called several times for a
	// piece, when faults come and go, and must then answer the same: only sent may change the stage.
	shape(p *piece) bool

	// sent is told which piece left, as the stages shaped it, and when.
	sent(p piece, now time.Duration)
}

// whole is a stage that neither cuts pieces nor remembers them.
type whole struct{}

func (whole) most(p piece) int { return p.size }

func (whole) sent(piece, time.Duration) {}
