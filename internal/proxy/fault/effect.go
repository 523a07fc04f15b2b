package fault

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Effect is what a fault does. Each kind is one small file, KIND.go, which is listed in kinds and says what it
// acts on by the methods that it has:
//
//   - Shaper: the bytes of one way of a connection, through a stage of its own for each
//   - Arrival: connections that come, before the upstream is dialled
//   - Deadline: connections as a whole, some time after the fault has reached them
//   - Datagrams: the datagrams of a proxy whose protocol is udp
//   - requests: the requests of a proxy whose protocol is http
type Effect interface {
	Kind() string
	// check notes every problem of the parameters.
	check(errs *Problems)
}

// Shaper acts on bytes.
type Shaper interface {
	Stage(d Draws) Stage
}

// particular checks a fault as a whole, and not only the effect's parameters.
type particular interface {
	checkFault(f Fault, errs *Problems)
}

// steady is an effect that cannot be changed into every other while it is in force.
type steady interface {
	becomes(old, next Fault) error
}

// Arrival acts on connections that come.
type Arrival interface {
	// Arrive says how long the connection has to wait before the upstream is dialled, and whether it is ended instead.
	Arrive(d Draws) (wait time.Duration, instead Ending)
}

// Deadline acts on connections as a whole.
type Deadline interface {
	// EndsAfter says how long after the fault has reached it a connection is ended; false is never.
	EndsAfter() (time.Duration, bool)
	// EndsBy says how.
	EndsBy() Ending
}

// Datagrams acts on datagrams.
type Datagrams interface {
	// Datagram says what becomes of the datagram with that number: it is late, or it is lost.
	Datagram(d Draws, number uint64) (late time.Duration, lost bool)
}

// kinds reads the parameters of every kind of effect.
func kinds() map[string]func(json.RawMessage) (Effect, error) {
	return map[string]func(json.RawMessage) (Effect, error){
		Latency{}.Kind():      read[Latency],
		Bandwidth{}.Kind():    read[Bandwidth],
		SlowClose{}.Kind():    read[SlowClose],
		Timeout{}.Kind():      read[Timeout],
		Reset{}.Kind():        read[Reset],
		Slicer{}.Kind():       read[Slicer],
		Limit{}.Kind():        read[Limit],
		ConnectDelay{}.Kind(): read[ConnectDelay],
		Refuse{}.Kind():       read[Refuse],
		Loss{}.Kind():         read[Loss],
		HTTPLatency{}.Kind():  read[HTTPLatency],
		HTTPError{}.Kind():    read[HTTPError],
		GRPCError{}.Kind():    read[GRPCError],
		HTTPAbort{}.Kind():    read[HTTPAbort],
		HTTPBody{}.Kind():     read[HTTPBody],
		HTTPHeader{}.Kind():   read[HTTPHeader],
		Arms{}.Kind():         read[Arms],
	}
}

// DecodeEffect reads the parameters of a kind of effect, strictly.
func DecodeEffect(kind string, with json.RawMessage) (Effect, error) {
	read, ok := kinds()[kind]
	if !ok {
		return nil, fmt.Errorf("kind %q is unknown: use one of %s", kind, kindNames())
	}
	effect, err := read(with)
	if err != nil {
		return nil, fmt.Errorf("with of %s: %w", kind, err) // and no effect: half of one must not be injected
	}
	return effect, nil
}

func read[E Effect](with json.RawMessage) (Effect, error) {
	var e E
	if len(with) == 0 || string(with) == "null" {
		return e, nil
	}
	err := DecodeStrict(with, &e)
	return e, err
}

// Kinds lists the kinds of effects, sorted.
func Kinds() []string {
	var names []string
	for name := range kinds() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func kindNames() string { return strings.Join(Kinds(), ", ") }

// shapes says whether an effect acts on the bytes of streams.
func shapes(e Effect) bool {
	_, ok := e.(Shaper)
	return ok
}

// Suits says why a proxy of that protocol cannot have a fault with the effect; nil if it can.
func Suits(e Effect, proxy, protocol string) error {
	var ok bool
	switch protocol {
	case UDP:
		return suitsDatagrams(e, proxy)
	case HTTP:
		_, ok = e.(requests)
	default:
		switch e.(type) {
		case Shaper, Arrival, Deadline:
			ok = true
		}
	}
	if !ok {
		return wrongProtocol(e, proxy, protocol)
	}
	return nil
}

func suitsDatagrams(e Effect, proxy string) error {
	if _, ok := e.(Datagrams); !ok {
		return fmt.Errorf("%s is for streams, and proxy %q is udp: use latency, loss or timeout", e.Kind(), proxy)
	}
	if t, ok := e.(Timeout); ok && t.After > 0 {
		return fmt.Errorf("datagrams have no connection to reset, and proxy %q is udp: leave after out", proxy)
	}
	return nil
}

// wrongProtocol says that an effect is for other proxies.
func wrongProtocol(e Effect, proxy, protocol string) error {
	what, use := "datagrams", "another kind"
	switch e.(type) {
	case requests:
		what = "the requests of proxies with protocol http"
	case Shaper, Arrival, Deadline:
		what = "connections"
	}
	if _, ok := e.(Arms); ok {
		use = "a proxy with protocol http"
	}
	if protocol == HTTP {
		use = "a kind that begins with http- or grpc-"
	}
	return fmt.Errorf("%s is for %s, and proxy %q is %s: use %s", e.Kind(), what, proxy, protocol, use)
}

// directed says whether an effect goes one way or the other.
func directed(e Effect) bool {
	_, ok := e.(Datagrams)
	return ok || shapes(e)
}
