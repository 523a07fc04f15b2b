// Package proxytest is what the tests of a proxy's packages have in common.
package proxytest

import (
	"time"

	"mishap/internal/proxy/fault"
)

// Effects is one of each on streams, and of those that act in several ways one for each way.
func Effects() []fault.Effect {
	return []fault.Effect{
		Latency(5*time.Millisecond, 5*time.Millisecond), Latency(fault.MaxDelay, 0), fault.Bandwidth{Rate: 100_000},
		fault.Slicer{Size: 50, Vary: 10, Delay: 1}, fault.SlowClose{Delay: fault.Duration(time.Minute)},
		fault.Timeout{}, fault.Timeout{Data: "drop"}, fault.Timeout{After: fault.Duration(time.Millisecond)},
		fault.Reset{After: fault.Duration(5 * time.Millisecond)}, fault.Limit{Bytes: 10_000},
		fault.Limit{Bytes: 10_000, How: "reset"}, fault.ConnectDelay{Spread: Latency(fault.MaxDelay, 0).Spread},
		fault.Refuse{}, fault.Refuse{How: "close"},
	}
}

// Latency is a delay and how much it varies.
func Latency(delay, jitter time.Duration) fault.Latency {
	return fault.Latency{Spread: fault.Spread{Delay: fault.Duration(delay), Jitter: fault.Duration(jitter)}}
}

// Fault is one with an effect on the proxy "web", for a minute.
func Fault(id string, e fault.Effect) fault.Fault {
	return fault.Fault{ID: id, Proxy: "web", Effect: e, Expires: fault.MaxExpires}
}
