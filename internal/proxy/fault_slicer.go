package proxy

import "time"

// Slicer cuts chunks into small pieces that leave one by one.
type Slicer struct {
	Size  int      `json:"size"`            // bytes of a piece
	Vary  int      `json:"vary,omitempty"`  // a size is drawn from Size-Vary to Size+Vary
	Delay Duration `json:"delay,omitempty"` // between two pieces of a chunk; 0: each is only a write of its own
}

// Kind is slicer.
func (Slicer) Kind() string { return "slicer" }

func (s Slicer) check(errs *problems) {
	errs.add(s.Size < 1 || s.Size > bufferSize, "size %d must be from 1 to %d bytes", s.Size, bufferSize)
	errs.add(s.Vary < 0 || s.Vary >= max(s.Size, 1), "vary %d must be below the size, %d", s.Vary, s.Size)
	errs.checkSpan("delay", s.Delay, 0)
}

func (s Slicer) stage(d draws) stage { return &knife{Slicer: s, draws: d} }

type knife struct {
	Slicer
	draws
	pieces uint64        // that have left
	chunk  uint64        // of the latest of them
	left   time.Duration // when that was
	leaves time.Duration // when the piece that was shaped last does
}

func (s *knife) most(p piece) int {
	size := s.Size - s.Vary + int(s.unit(s.pieces)*float64(2*s.Vary+1))
	return min(p.size, size)
}

func (s *knife) shape(p *piece) bool {
	if s.pieces > 0 && p.number == s.chunk {
		p.at = max(p.at, s.left+time.Duration(s.Delay))
	}
	s.leaves = p.at
	return !p.end
}

func (s *knife) sent(p piece, now time.Duration) {
	s.pieces, s.chunk, s.left = s.pieces+1, p.number, s.leaves+max(now-p.at, 0)
}
