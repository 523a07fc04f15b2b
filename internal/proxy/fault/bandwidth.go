package fault

import "time"

const (
	bandwidthTick  = 10 * time.Millisecond  // a piece is at most what passes in a tick, so that bytes flow rather than jump
	bandwidthSlack = 50 * time.Millisecond  // how much lateness is made up for; more would be a burst above the rate
	bandwidthQueue = 100 * time.Millisecond // how much is read ahead of the bottleneck; more would only be extra latency
	leastWindow    = 1 << 10                // bytes that are always read ahead
)

// Bandwidth passes at most so many bytes in a second, on each way that it covers of each connection.
type Bandwidth struct {
	Rate int64 `json:"rate"` // bytes per second
}

// Kind is bandwidth.
func (Bandwidth) Kind() string { return "bandwidth" }

func (b Bandwidth) check(errs *Problems) {
	errs.Add(b.Rate <= 0, "rate %d must be above 0: how many bytes may pass in a second", b.Rate)
}

// Stage is a bottleneck of its own for each way of each connection.
func (b Bandwidth) Stage(Draws) Stage { return &bottleneck{rate: b.Rate} }

// Window is how many bytes are read ahead where a piece usually waits so long.
func (b Bandwidth) Window(wait time.Duration) int64 {
	return max(b.within(bandwidthQueue+wait), leastWindow)
}

// within is how many bytes pass in a while.
func (b Bandwidth) within(d time.Duration) int64 { return int64(float64(b.Rate) * d.Seconds()) }

// bottleneck is a link that one piece after the other goes through.
type bottleneck struct {
	rate   int64
	free   time.Duration // when the latest piece was through
	passes time.Duration // when the piece that was shaped last is
}

// Most implements Stage.
func (s *bottleneck) Most(p Piece) int {
	return int(min(int64(p.Size), max(Bandwidth{s.rate}.within(bandwidthTick), 1)))
}

// Shape implements Stage.
func (s *bottleneck) Shape(p *Piece) bool {
	if p.Size == 0 {
		return false
	}
	s.passes = max(s.free, p.At) + time.Duration(float64(p.Size)/float64(s.rate)*float64(time.Second))
	p.At = s.passes
	return true
}

// Sent implements Stage.
func (s *bottleneck) Sent(p Piece, now time.Duration) {
	if p.Size > 0 {
		s.free = s.passes + max(now-p.At-bandwidthSlack, 0)
	}
}
