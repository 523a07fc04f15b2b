package proxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"
)

// Limits of a fault. They keep a mistaken fault from holding a connection, or the proxy's memory, for long.
const (
	MaxExpires = time.Hour        // the longest lease of a fault
	MaxDelay   = 10 * time.Minute // the longest delay of a fault
	maxName    = 128              // bytes in the id of a fault, or the name of a proxy
)

// Direction says which way the bytes go that a fault is meant for.
type Direction string

// The directions of a fault: towards the upstream, towards the client, or both ways.
const (
	Upstream   Direction = "upstream"
	Downstream Direction = "downstream"
	Both       Direction = "both"
)

// covers says whether a fault of direction d is meant for bytes that go the way of one pump.
func (d Direction) covers(way Direction) bool { return d == Both || d == way }

// Fault does something to the traffic of one proxy. Several faults on one proxy add up.
type Fault struct {
	ID        string        // names the fault for good: an id that has ended is not taken again
	Run       string        // the run it belongs to; only reported
	Proxy     string        // the name of the listener
	Effect    Effect        // what it does
	Direction Direction     // default Downstream; "" for effects that concern whole connections
	Seed      uint64        // the same seed makes the same draws, and hits the same connections
	Share     float64       // of the connections, above 0 and up to 1; 0 means 1
	Expires   time.Duration // the lease: the fault ends this long after it was put in or last renewed
	Via       string        // the other API that it came through, in words; empty for the control API. Not in JSON
}

// wireFault is Fault as JSON: durations are strings such as "300ms".
type wireFault struct {
	ID        string          `json:"id"`
	Run       string          `json:"run,omitempty"`
	Proxy     string          `json:"proxy"`
	Kind      string          `json:"kind"`
	With      json.RawMessage `json:"with,omitempty"` // the parameters of that kind
	Direction Direction       `json:"direction,omitempty"`
	Seed      uint64          `json:"seed,omitempty"`
	Share     float64         `json:"share,omitempty"`
	Expires   Duration        `json:"expires"`
}

// MarshalJSON writes durations as strings.
func (f Fault) MarshalJSON() ([]byte, error) {
	w := wireFault{f.ID, f.Run, f.Proxy, "", nil, f.Direction, f.Seed, f.Share, Duration(f.Expires)}
	if f.Effect != nil {
		with, err := json.Marshal(f.Effect)
		if err != nil {
			return nil, fmt.Errorf("write with: %w", err)
		}
		w.Kind, w.With = f.Effect.Kind(), with
	}
	return json.Marshal(w)
}

// UnmarshalJSON refuses unknown fields and kinds, and durations that are not strings.
func (f *Fault) UnmarshalJSON(data []byte) error {
	var w wireFault
	if err := decodeStrict(data, &w); err != nil {
		return err
	}
	*f = Fault{w.ID, w.Run, w.Proxy, nil, w.Direction, w.Seed, w.Share, time.Duration(w.Expires), ""}
	if w.Kind == "" && len(w.With) == 0 {
		return nil // validate names it, together with all else that is missing
	}
	var err error
	f.Effect, err = DecodeEffect(w.Kind, w.With)
	return err
}

// withDefaults fills in what was left out, so that equal faults compare equal.
func (f Fault) withDefaults() Fault {
	if f.Direction == "" && directed(f.Effect) {
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
	return reflect.DeepEqual(f, g)
}

// CanBecome says why a fault in force cannot be changed into another; nil if it can.
func (f Fault) CanBecome(next Fault) error {
	if s, ok := f.Effect.(steady); ok {
		return s.becomes(f, next)
	}
	return nil
}

// Check names every problem of a fault that shows without its proxy.
func (f Fault) Check() error { return f.withDefaults().validate() }

// validate names every problem of a fault at once.
func (f Fault) validate() error {
	var errs problems
	errs.add(!validName(f.ID), "%w", badID(f.ID))
	errs.add(len(f.Run) > maxName, "run must be at most %d bytes long", maxName)
	errs.add(!(f.Share > 0 && f.Share <= 1), "share %v must be above 0 and at most 1", f.Share)
	if f.Effect == nil {
		errs.add(true, "kind is missing: use one of %s", kindNames())
	} else {
		f.Effect.check(&errs)
		f.checkDirection(&errs)
		if p, ok := f.Effect.(particular); ok {
			p.checkFault(f, &errs)
		}
	}
	return errors.Join(append(errs, validateExpires(f.Expires))...)
}

func (f Fault) checkDirection(errs *problems) {
	switch {
	case directed(f.Effect):
		errs.add(f.Direction != Upstream && f.Direction != Downstream && f.Direction != Both,
			"direction %q must be upstream, downstream or both", f.Direction)
	default:
		errs.add(f.Direction != "", "direction %q means nothing to %s, which concerns whole connections: leave it out",
			f.Direction, f.Effect.Kind())
	}
}

// problems collects everything that is wrong with a fault.
type problems []error

// add notes a problem if bad.
func (p *problems) add(bad bool, format string, args ...any) {
	if bad {
		*p = append(*p, fmt.Errorf(format, args...))
	}
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

// mix hashes two numbers into one (the finaliser of SplitMix64).
func mix(a, b uint64) uint64 {
	z := a + 0x9e3779b97f4a7c15*(b+1)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// unit maps a hash to [0, 1).
func unit(h uint64) float64 { return float64(h>>11) / (1 << 53) }

// hand is how something came that no run did.
func (f Fault) hand() string {
	if f.Via != "" {
		return "through " + f.Via
	}
	return "by hand"
}

// origin is who put a fault in.
func (f Fault) origin() string {
	if f.Run != "" {
		return "by run " + f.Run
	}
	return f.hand()
}
