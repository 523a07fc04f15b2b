package fault

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"
)

// Fault does something to the traffic of one proxy. Several faults on one proxy add up.
type Fault struct {
	ID        string        // names the fault for good: an id that has ended is not taken again
	Run       string        // the run it belongs to; only reported
	Proxy     string        // the name of the listener
	Effect    Effect        // what it does
	Direction Direction     // default Downstream; "" for effects that concern whole connections
	Seed      uint64        // the same seed makes the same draws, and hits the same connections
	Share     float64       // of the connections, above 0 and up to 1; 0 means 1
	Expires   time.Duration // the lease: the fault ends this long after it was injected or last renewed
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
	if err := DecodeStrict(data, &w); err != nil {
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

// WithDefaults fills in what was left out, so that equal faults compare equal.
func (f Fault) WithDefaults() Fault {
	if f.Direction == "" && directed(f.Effect) {
		f.Direction = Downstream
	}
	if f.Share == 0 {
		f.Share = 1
	}
	return f
}

// Same says whether two faults are the same but for their lease.
func (f Fault) Same(g Fault) bool {
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
func (f Fault) Check() error { return f.WithDefaults().validate() }

// validate names every problem of a fault at once.
func (f Fault) validate() error {
	var errs Problems
	errs.Add(!ValidName(f.ID), "%w", BadID(f.ID))
	errs.Add(len(f.Run) > MaxName, "run must be at most %d bytes long", MaxName)
	errs.Add(!(f.Share > 0 && f.Share <= 1), "share %v must be above 0 and at most 1", f.Share)
	if f.Effect == nil {
		errs.Add(true, "kind is missing: use one of %s", kindNames())
	} else {
		f.Effect.check(&errs)
		f.checkDirection(&errs)
		if p, ok := f.Effect.(particular); ok {
			p.checkFault(f, &errs)
		}
	}
	return errors.Join(append(errs, CheckExpires(f.Expires))...)
}

func (f Fault) checkDirection(errs *Problems) {
	switch {
	case directed(f.Effect):
		errs.Add(f.Direction != Upstream && f.Direction != Downstream && f.Direction != Both,
			"direction %q must be upstream, downstream or both", f.Direction)
	default:
		errs.Add(f.Direction != "", "direction %q means nothing to %s, which concerns whole connections: leave it out",
			f.Direction, f.Effect.Kind())
	}
}

// Hits says whether the fault concerns a connection. It depends on the seed and the connection's number alone, so a
// connection never changes sides, and a larger share only adds connections.
func (f Fault) Hits(connection uint64) bool {
	return f.Share >= 1 || unit(mix(f.Seed, connection)) < f.Share
}

// Hand is how something came that no run did.
func (f Fault) Hand() string {
	if f.Via != "" {
		return "through " + f.Via
	}
	return "by hand"
}

// Origin is who injected a fault.
func (f Fault) Origin() string {
	if f.Run != "" {
		return "by run " + f.Run
	}
	return f.Hand()
}
