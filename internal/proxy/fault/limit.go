package fault

import "time"

// Limit ends connections after so many bytes, counted on one way from when the fault has reached the connection.
type Limit struct {
	Bytes int64    `json:"bytes"`           // 0: at the first byte, which does not pass
	How   Ending   `json:"how,omitempty"`   // close (default) or reset
	After Duration `json:"after,omitempty"` // how long the last of the bytes, and with it that end, have to wait
}

// Kind is limit.
func (Limit) Kind() string { return "limit" }

func (l Limit) check(errs *Problems) {
	errs.Add(l.Bytes < 0, "bytes %d must not be negative", l.Bytes)
	errs.Add(!l.How.valid(), "how %q must be close or reset", l.How)
	errs.checkSpan("after", l.After, 0)
}

// Stage counts the bytes from now on.
func (l Limit) Stage(Draws) Stage {
	return &allowance{rest: l.Bytes, how: l.How.or(ByClose), after: time.Duration(l.After)}
}

type allowance struct {
	rest  int64 // bytes that may still pass
	how   Ending
	after time.Duration
}

// Most implements Stage.
func (s *allowance) Most(p Piece) int { return int(min(int64(p.Size), s.rest)) }

// Shape implements Stage.
func (s *allowance) Shape(p *Piece) bool {
	if p.End || int64(p.Size) < s.rest {
		return false
	}
	p.Last = s.how
	p.At += s.after
	return true
}

// Sent implements Stage.
func (s *allowance) Sent(p Piece, _ time.Duration) { s.rest -= int64(p.Size) }
