package proxy

import "time"

// ConnectDelay lets new connections wait before the upstream is dialled. The client's connect succeeds at once, because
// the kernel accepts for the proxy; what is late is the first byte.
type ConnectDelay struct{ Spread }

// Kind is connect-delay.
func (ConnectDelay) Kind() string { return "connect-delay" }

func (c ConnectDelay) arrive(d draws) (time.Duration, ending) {
	s := sampler{Spread: c.Spread, draws: d}
	return s.sample(0, false), goesOn
}
