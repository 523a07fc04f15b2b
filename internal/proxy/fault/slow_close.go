package fault

import "time"

// SlowClose lets the end of a stream go later; its bytes are not touched.
type SlowClose struct {
	Delay Duration `json:"delay"`
}

// Kind is slow-close.
func (SlowClose) Kind() string { return "slow-close" }

func (s SlowClose) check(errs *Problems) { errs.checkSpan("delay", s.Delay, 1) }

// Stage delays ends.
func (s SlowClose) Stage(Draws) Stage { return slowEnd{delay: time.Duration(s.Delay)} }

type slowEnd struct {
	whole
	delay time.Duration
}

// Shape implements Stage.
func (s slowEnd) Shape(p *Piece) bool {
	if p.End {
		p.At += s.delay
	}
	return p.End
}
