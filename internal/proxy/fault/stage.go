package fault

import "time"

// never is when a piece leaves that is held until its fault ends: 36 years after the line began, which leaves room for
// sums.
const never = time.Duration(1 << 60)

// BufferSize is the most that one read takes, in bytes.
const BufferSize = 32 << 10

// Ending is how a fault ends a connection.
type Ending string

// The endings: a RST, as a peer that crashed; a FIN, as a peer that has said all it had to say.
const (
	GoesOn  Ending = ""
	ByReset Ending = "reset"
	ByClose Ending = "close"
)

// valid says whether a person may ask for the ending.
func (e Ending) valid() bool { return e == GoesOn || e == ByReset || e == ByClose }

// or is the ending, or another if it was left out.
func (e Ending) or(other Ending) Ending {
	if e == GoesOn {
		return other
	}
	return e
}

// Piece is what a line lets go next: bytes of one chunk, or the end of the stream. Times are since the line's start.
type Piece struct {
	Number uint64        // of the chunk; all pieces of a chunk have the same
	Size   int           // bytes, 0 of the end
	At     time.Duration // when it is to leave
	End    bool          // it is the end of the stream
	Drop   bool          // it goes nowhere
	Last   Ending        // how the connection ends after it
}

// Stage is what one fault does to the bytes of one way of one connection. A line calls it under its lock, for one piece
// after the other.
type Stage interface {
	// Most says how many bytes of the piece may leave at once; p.size if it does not matter.
	Most(p Piece) int

	// Shape changes when and whether a piece leaves, and says whether it did. It may be called several times for a
	// piece, when faults come and go, and must then answer the same: only sent may change the stage.
	Shape(p *Piece) bool

	// Sent is told which piece left, as the stages shaped it, and when.
	Sent(p Piece, now time.Duration)
}

// whole is a stage that neither cuts pieces nor remembers them.
type whole struct{}

// Most implements Stage.
func (whole) Most(p Piece) int { return p.Size }

// Sent implements Stage.
func (whole) Sent(Piece, time.Duration) {}
