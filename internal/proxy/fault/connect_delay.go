package fault

import "time"

// ConnectDelay lets new connections wait before the upstream is dialled. The client's connect succeeds at once, because
// the kernel accepts for the proxy; what is late is the first byte.
type ConnectDelay struct{ Spread }

// Kind is connect-delay.
func (ConnectDelay) Kind() string { return "connect-delay" }

// Arrive lets every connection wait.
func (c ConnectDelay) Arrive(d Draws) (time.Duration, Ending) {
	s := sampler{Spread: c.Spread, Draws: d}
	return s.sample(0, false), GoesOn
}
