package fault

import "time"

// Latency lets bytes go later. The order of a stream forces a chunk to wait for the one before it, so that with jitter
// the delays of chunks that come close together are a running maximum; Per connection draws once for each connection.
// Datagrams do not wait for each other: with jitter they change their order, as on a real network.
type Latency struct {
	Spread
	Per string `json:"per,omitempty"` // "chunk" (default): each read draws; "connection": each way of a connection draws once
}

// Kind is latency.
func (Latency) Kind() string { return "latency" }

func (l Latency) check(errs *Problems) {
	l.Spread.check(errs)
	errs.Add(l.Per != "" && l.Per != "chunk" && l.Per != "connection", "per %q must be chunk or connection", l.Per)
}

// number is which draw the chunk with that number gets.
func (l Latency) number(chunk uint64) uint64 {
	if l.Per == "connection" {
		return 0
	}
	return chunk
}

// Stage delays chunks.
func (l Latency) Stage(d Draws) Stage {
	return &late{Latency: l, sampler: sampler{Spread: l.Spread, Draws: d}}
}

// Datagram delays datagrams, each by itself.
func (l Latency) Datagram(d Draws, number uint64) (time.Duration, bool) {
	s := sampler{Spread: l.Spread, Draws: d}
	return s.sample(l.number(number), false), false
}

type late struct {
	whole
	Latency
	sampler sampler
}

// Shape implements Stage.
func (s *late) Shape(p *Piece) bool {
	p.At += s.sampler.sample(s.number(p.Number), false)
	return true
}

// Sent implements Stage.
func (s *late) Sent(p Piece, _ time.Duration) { s.sampler.sample(s.number(p.Number), true) }
