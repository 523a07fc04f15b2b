package proxy

import "time"

// Limit ends connections after so many bytes, counted on one way from when the fault has reached the connection.
type Limit struct {
	Bytes int64    `json:"bytes"`           // 0: at the first byte, which does not pass
	How   ending   `json:"how,omitempty"`   // close (default) or reset
	After Duration `json:"after,omitempty"` // how long the last of the bytes, and with it that end, have to wait
}

// Kind is limit.
func (Limit) Kind() string { return "limit" }

func (l Limit) check(errs *problems) {
	errs.add(l.Bytes < 0, "bytes %d must not be negative", l.Bytes)
	errs.add(!l.How.valid(), "how %q must be close or reset", l.How)
	errs.checkSpan("after", l.After, 0)
}

func (l Limit) stage(draws) stage {
	return &allowance{rest: l.Bytes, how: l.How.or(byClose), after: time.Duration(l.After)}
}

type allowance struct {
	rest  int64 // bytes that may still pass
	how   ending
	after time.Duration
}

func (s *allowance) most(p piece) int { return int(min(int64(p.size), s.rest)) }

func (s *allowance) shape(p *piece) bool {
	if p.end || int64(p.size) < s.rest {
		return false
	}
	p.last = s.how
	p.at += s.after
	return true
}

func (s *allowance) sent(p piece, _ time.Duration) { s.rest -= int64(p.size) }
