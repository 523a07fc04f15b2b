package proxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Limits of a fault. They keep a mistaken fault from holding a connection, or the proxy's memory, for long.
const (
	MaxExpires = 10 * time.Minute // the longest lease of a fault
	MaxDelay   = 10 * time.Minute // the longest delay of a fault
	maxName    = 128              // bytes in the id of a fault, or the name of a proxy
)

// Direction says which way the delayed bytes go.
type Direction string

// The directions of a fault: towards the upstream, towards the client, or both ways.
const (
	Upstream   Direction = "upstream"
	Downstream Direction = "downstream"
	Both       Direction = "both"
)

// covers says whether a fault of direction d delays bytes that go the way of one pump.
func (d Direction) covers(way Direction) bool { return d == Both || d == way }

// Fault delays the bytes of one proxy. Several faults on one proxy add up.
type Fault struct {
	ID        string        // names the fault for good: an id that has ended is not taken again
	Run       string        // the run it belongs to; only reported
	Proxy     string        // the name of the listener
	Delay     time.Duration // how late each chunk of bytes is let go
	Jitter    time.Duration // the delay is drawn uniformly from Delay-Jitter to Delay+Jitter; at most Delay
	Direction Direction     // default Downstream
	Seed      uint64        // the same seed draws the same jitter and the same share of connections
	Share     float64       // of the connections, above 0 and up to 1; 0 means 1
	Expires   time.Duration // the lease: the fault ends this long after it was put in or last renewed
}

// wireFault is Fault as JSON: durations are strings such as "300ms".
type wireFault struct {
	ID        string    `json:"id"`
	Run       string    `json:"run,omitempty"`
	Proxy     string    `json:"proxy"`
	Delay     duration  `json:"delay"`
	Jitter    duration  `json:"jitter,omitempty"`
	Direction Direction `json:"direction,omitempty"`
	Seed      uint64    `json:"seed,omitempty"`
	Share     float64   `json:"share,omitempty"`
	Expires   duration  `json:"expires"`
}

// MarshalJSON writes durations as strings.
func (f Fault) MarshalJSON() ([]byte, error) {
	return json.Marshal(wireFault{f.ID, f.Run, f.Proxy, duration(f.Delay), duration(f.Jitter), f.Direction, f.Seed,
		f.Share, duration(f.Expires)})
}

// UnmarshalJSON refuses unknown fields, and durations that are not strings.
func (f *Fault) UnmarshalJSON(data []byte) error {
	var w wireFault
	if err := decodeStrict(data, &w); err != nil {
		return err
	}
	*f = Fault{w.ID, w.Run, w.Proxy, time.Duration(w.Delay), time.Duration(w.Jitter), w.Direction, w.Seed, w.Share,
		time.Duration(w.Expires)}
	return nil
}

// withDefaults fills in what was left out, so that equal faults compare equal.
func (f Fault) withDefaults() Fault {
	if f.Direction == "" {
		f.Direction = Downstream
	}
	if f.Share == 0 {
		f.Share = 1
	}
	return f
}

// same says whether two faults are the same but for their lease.
func (f Fault) same(g Fault) bool {
	f.Expires, g.Expires = 0, 0
	return f == g
}

// validate names every problem of a fault at once.
func (f Fault) validate() error {
	var errs []error
	wrong := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	wrong(!validName(f.ID), "%w", badID(f.ID))
	wrong(len(f.Run) > maxName, "run must be at most %d bytes long", maxName)
	wrong(f.Delay <= 0 || f.Delay > MaxDelay, "delay %v must be above 0 and at most %v", f.Delay, MaxDelay)
	wrong(f.Jitter < 0 || f.Jitter > f.Delay, "jitter %v must be between 0 and the delay, %v", f.Jitter, f.Delay)
	wrong(f.Direction != Upstream && f.Direction != Downstream && f.Direction != Both,
		"direction %q must be upstream, downstream or both", f.Direction)
	wrong(!(f.Share > 0 && f.Share <= 1), "share %v must be above 0 and at most 1", f.Share)
	errs = append(errs, validateExpires(f.Expires))
	return errors.Join(errs...)
}

// badID says what an id must be.
func badID(id string) error {
	return fmt.Errorf("id %q must be 1 to %d letters, digits, or any of . _ : -", id, maxName)
}

// validateExpires checks the length of a lease.
func validateExpires(d time.Duration) error {
	if d > 0 && d <= MaxExpires {
		return nil
	}
	return fmt.Errorf("expires %v must be above 0 and at most %v: a fault ends by itself unless it is renewed", d,
		MaxExpires)
}

// validName says whether a name is fit for a path, a log and a person.
func validName(s string) bool {
	if s == "" || len(s) > maxName || s == "." || s == ".." {
		return false
	}
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		case r == '.', r == '_', r == ':', r == '-':
		default:
			return false
		}
	}
	return true
}

// hits says whether the fault concerns a connection. It depends on the seed and the connection's number alone, so a
// connection never changes sides, and a larger share only adds connections.
func (f Fault) hits(connection uint64) bool {
	return f.Share >= 1 || unit(mix(f.Seed, connection)) < f.Share
}

// sample is the delay of one chunk: the same seed, connection, way and chunk number give the same delay.
func (f Fault) sample(connection uint64, way Direction, chunk uint64) time.Duration {
	if f.Jitter == 0 {
		return f.Delay
	}
	h := mix(mix(mix(f.Seed, connection), uint64(len(way))), chunk)
	return f.Delay - f.Jitter + time.Duration(unit(h)*2*float64(f.Jitter))
}

// mix hashes two numbers into one (the finaliser of SplitMix64).
func mix(a, b uint64) uint64 {
	z := a + 0x9e3779b97f4a7c15*(b+1)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// unit maps a hash to [0, 1).
func unit(h uint64) float64 { return float64(h>>11) / (1 << 53) }
