package proxy

import "time"

// SlowClose lets the end of a stream go later; its bytes are not touched.
type SlowClose struct {
	Delay Duration `json:"delay"`
}

// Kind is slow-close.
func (SlowClose) Kind() string { return "slow-close" }

func (s SlowClose) check(errs *problems) { errs.checkSpan("delay", s.Delay, 1) }

func (s SlowClose) stage(draws) stage { return slowEnd{delay: time.Duration(s.Delay)} }

type slowEnd struct {
	whole
	delay time.Duration
}

func (s slowEnd) shape(p *piece) bool {
	if p.end {
		p.at += s.delay
	}
	return p.end
}
