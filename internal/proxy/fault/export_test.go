package fault

import (
	"time"
)

// Draw gives the first n delays of one way of a connection.
func Draw(s Spread, seed, connection uint64, n int) []time.Duration {
	drawn := make([]time.Duration, n)
	sampler := sampler{Spread: s, Draws: NewDraws(seed, connection, Upstream)}
	for i := range drawn {
		drawn[i] = sampler.sample(uint64(i), true)
		if again := sampler.sample(uint64(i), true); again != drawn[i] {
			panic("the same draw is another delay")
		}
	}
	return drawn
}

// Fails says whether a body has what tells a failure.
func (s *Success) Fails(body []byte) (fails, known bool) { return s.look().Body(body) }
