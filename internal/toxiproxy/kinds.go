package toxiproxy

import (
	"fmt"
	"math/rand/v2"
	"time"

	"mishap/internal/proxy/fault"
)

// attributes are the parameters of one type of toxic, as Toxiproxy's JSON has them. A value that Toxiproxy takes for
// nothing (a negative delay, say) is nothing here too.
type attributes interface {
	// effect is what the toxic does; nil is nothing.
	effect() (fault.Effect, error)
	// copied is a copy that a client's JSON may be read into.
	copied() attributes
}

// newAttributes gives the attributes of a type before any is set; nil if there is no such type.
func newAttributes(kind string) attributes {
	switch kind {
	case "latency":
		return &latency{}
	case "bandwidth":
		return &bandwidth{}
	case "slow_close":
		return &slowClose{}
	case "timeout":
		return &timeout{}
	case "reset_peer":
		return &resetPeer{}
	case "slicer":
		return &slicer{}
	case "limit_data":
		return &limitData{}
	case "noop":
		return &noop{}
	default:
		return nil
	}
}

// noop does nothing.
type noop struct{}

func (noop) effect() (fault.Effect, error) { return nil, nil }

func (noop) copied() attributes { return &noop{} }

// latency delays what comes by latency ± jitter.
type latency struct {
	Latency float64 `json:"latency"` // ms
	Jitter  float64 `json:"jitter"`  // ms
}

func (l *latency) copied() attributes { c := *l; return &c }

func (l *latency) effect() (fault.Effect, error) {
	delay, jitter := millis(l.Latency), max(millis(l.Jitter), 0)
	switch {
	case delay > fault.MaxDelay || jitter > fault.MaxDelay:
		return nil, tooLong("latency and jitter")
	case delay+jitter <= 0:
		return nil, nil
	case jitter > delay:
		return fault.Latency{Spread: fault.Spread{Trace: cutOff(delay, jitter)}}, nil
	}
	return fault.Latency{Spread: fault.Spread{Delay: fault.Duration(delay), Jitter: fault.Duration(jitter)}}, nil
}

// cutOff is delay ± jitter where a part of that is below 0, and so is no delay at all: its quantiles, shuffled.
func cutOff(delay, jitter time.Duration) []fault.Duration {
	const steps = 500
	list := make([]fault.Duration, steps)
	for i := range list {
		part := (float64(i) + 0.5) / steps
		list[i] = fault.Duration(max(delay-jitter+time.Duration(part*float64(2*jitter)), 0))
	}
	rand.New(rand.NewPCG(1, 1)).Shuffle(steps, func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// bandwidth limits each connection.
type bandwidth struct {
	Rate int64 `json:"rate"` // of 1000 bytes a second; 0 lets nothing through
}

func (b *bandwidth) copied() attributes { c := *b; return &c }

func (b *bandwidth) effect() (fault.Effect, error) {
	const most = 1 << 40 // bytes a second; more than any machine moves, and no number overflows
	switch {
	case b.Rate < 0:
		return nil, fmt.Errorf("rate %d must not be negative: it is in KB/s", b.Rate)
	case b.Rate == 0:
		return fault.Timeout{}, nil
	}
	return fault.Bandwidth{Rate: min(b.Rate, most/1000) * 1000}, nil
}

// slowClose lets the end of a stream come later.
type slowClose struct {
	Delay float64 `json:"delay"` // ms
}

func (s *slowClose) copied() attributes { c := *s; return &c }

func (s *slowClose) effect() (fault.Effect, error) {
	if s.Delay <= 0 {
		return nil, nil
	}
	return fault.SlowClose{Delay: fault.Duration(millis(s.Delay))}, nil
}

// timeout loses what comes, and closes the connection after a while; 0 is never.
type timeout struct {
	Timeout float64 `json:"timeout"` // ms
}

func (t *timeout) copied() attributes { c := *t; return &c }

func (t *timeout) effect() (fault.Effect, error) {
	return fault.Timeout{Data: "drop", After: fault.Duration(max(millis(t.Timeout), 0)), How: "close"}, nil
}

// resetPeer resets the connection, a while after something came.
type resetPeer struct {
	Timeout float64 `json:"timeout"` // ms
}

func (t *resetPeer) copied() attributes { c := *t; return &c }

func (t *resetPeer) effect() (fault.Effect, error) {
	return fault.Limit{How: "reset", After: fault.Duration(max(millis(t.Timeout), 0))}, nil
}

// slicer cuts what comes into pieces.
type slicer struct {
	AverageSize   int     `json:"average_size"`   // bytes
	SizeVariation int     `json:"size_variation"` // bytes
	Delay         float64 `json:"delay"`          // µs
}

func (s *slicer) copied() attributes { c := *s; return &c }

func (s *slicer) effect() (fault.Effect, error) {
	const most = 32 << 10 // no more is read at once, so that larger pieces do not come about
	if s.AverageSize <= 0 {
		return nil, fmt.Errorf("average_size %d must be above 0: it is in bytes", s.AverageSize)
	}
	size := min(s.AverageSize, most)
	return fault.Slicer{Size: size, Vary: min(max(s.SizeVariation, 0), size-1),
		Delay: fault.Duration(max(scaled(s.Delay, time.Microsecond), 0))}, nil
}

// limitData closes the connection after so many bytes.
type limitData struct {
	Bytes int64 `json:"bytes"`
}

func (l *limitData) copied() attributes { c := *l; return &c }

func (l *limitData) effect() (fault.Effect, error) { return fault.Limit{Bytes: max(l.Bytes, 0)}, nil }

func tooLong(what string) error { return fmt.Errorf("%s must be at most %v", what, fault.MaxDelay) }
