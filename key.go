package mishap

import "strings"

// Key is a resource key: what an injection changes, or must find unchanged. A
// thing belongs to one run at a time, from the moment that the run prepares a
// fault on it until the run is over, because a verdict is about one run's
// faults. The faults of that run may share the thing, but none of its
// attributes: each reverts what it has changed.
//
// As text it is "thing#attribute". Text without an attribute, as journals of
// before have it, is a thing.
type Key struct {
	Thing     string // the whole of what is judged together, such as "proxy/CONTROL/NAME"; never a part of it
	Attribute string // what of it is changed, such as "latency"; without "#"
}

// ControlAttribute is what a key says of the like target that an injection
// leaves alone: another run's fault on it would be taken for its own level.
const ControlAttribute = "control"

// String is the key as text.
func (k Key) String() string {
	if k.Attribute == "" {
		return k.Thing
	}
	return k.Thing + "#" + k.Attribute
}

// MarshalText writes the key.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads a key. It never fails.
func (k *Key) UnmarshalText(text []byte) error {
	k.Thing, k.Attribute = string(text), ""
	if at := strings.LastIndexByte(k.Thing, '#'); at >= 0 {
		k.Thing, k.Attribute = k.Thing[:at], k.Thing[at+1:]
	}
	return nil
}

// Before is what ledgers of before may hold for what k changes.
func (k Key) Before() []string { return []string{k.Thing, k.Thing + "/" + k.Attribute} }

// Shared is a thing that the plan touches, and one of the injections too; empty
// if there is none.
func (p Plan) Shared(touched []Injection) string {
	things := map[string]bool{}
	for _, in := range touched {
		for _, k := range in.Keys {
			things[k.Thing] = true
		}
	}
	for _, in := range p.Injections {
		for _, k := range in.Keys {
			if things[k.Thing] {
				return k.Thing
			}
		}
	}
	return ""
}
