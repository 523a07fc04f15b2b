package fault

import "time"

// Slicer cuts chunks into small pieces that leave one by one.
type Slicer struct {
	Size  int      `json:"size"`            // bytes of a piece
	Vary  int      `json:"vary,omitempty"`  // a size is drawn from Size-Vary to Size+Vary
	Delay Duration `json:"delay,omitempty"` // between two pieces of a chunk; 0: each is only a write of its own
}

// Kind is slicer.
func (Slicer) Kind() string { return "slicer" }

func (s Slicer) check(errs *Problems) {
	errs.Add(s.Size < 1 || s.Size > BufferSize, "size %d must be from 1 to %d bytes", s.Size, BufferSize)
	errs.Add(s.Vary < 0 || s.Vary >= max(s.Size, 1), "vary %d must be below the size, %d", s.Vary, s.Size)
	errs.checkSpan("delay", s.Delay, 0)
}

// Stage cuts chunks.
func (s Slicer) Stage(d Draws) Stage { return &knife{Slicer: s, Draws: d} }

type knife struct {
	Slicer
	Draws
	pieces uint64        // that have left
	chunk  uint64        // of the latest of them
	left   time.Duration // when that was
	leaves time.Duration // when the piece that was shaped last does
}

// Most implements Stage.
func (s *knife) Most(p Piece) int {
	size := s.Size - s.Vary + int(s.unit(s.pieces)*float64(2*s.Vary+1))
	return min(p.Size, size)
}

// Shape implements Stage.
func (s *knife) Shape(p *Piece) bool {
	if s.pieces > 0 && p.Number == s.chunk {
		p.At = max(p.At, s.left+time.Duration(s.Delay))
	}
	s.leaves = p.At
	return !p.End
}

// Sent implements Stage.
func (s *knife) Sent(p Piece, now time.Duration) {
	s.pieces, s.chunk, s.left = s.pieces+1, p.Number, s.leaves+max(now-p.At, 0)
}
