package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"mishap"
)

// Deps is what these injectors need from the rest of the program.
type Deps struct {
	Lease   time.Duration                // how long a fault lives without renewal
	Proxies func() []Address             // the proxies of the settings
	Control func(address string) Control // the control API there
}

// Errors of a [Control] that this package branches on.
var (
	// ErrDown is a proxy that does not run, and so has no faults.
	ErrDown = errors.New("the proxy is not running")
	// ErrFaultOver is a fault that the proxy does not have, or not any more.
	ErrFaultOver = errors.New("the proxy does not have the fault")
	// ErrOlder is a proxy of a version that does not know a parameter.
	ErrOlder = errors.New("the proxy is of an earlier version")
)

// Address is a proxy of the settings.
type Address struct {
	Name, Listen, Upstream string
	Protocol               string // "udp", else TCP
	Control                string // path of the control socket
	Edge                   bool   // its clients are outside
}

// key is a resource key of the proxy: all that passes it is judged together.
func (a Address) key(attribute string) mishap.Key {
	return mishap.Key{Thing: fmt.Sprintf("proxy/%s/%s", a.Control, a.Name), Attribute: attribute}
}

// Fault is what a proxy is asked to do to the traffic that passes it.
type Fault struct {
	ID, Run, Proxy string
	Kind           string          // of the effect, as the proxy calls it
	With           json.RawMessage // the effect's parameters, as the proxy reads them
	Direction      string          // empty for effects that concern whole connections
	Seed           uint64
	Share          float64       // of the connections
	Expires        time.Duration // ends by itself so long after it was injected or renewed
}

// Status is how a fault does in its proxy.
type Status struct {
	InForce bool
	Detail  string
	Arms    *mishap.ArmsEffect // of a fault confined to an arm, once it has seen one
	Left    int64              // open connections that a restart of the proxy left in the process before
	Traffic *mishap.Traffic    // nil if the proxy does not know: it was started anew, or has forgotten
}

// Control is the control API of a running proxy. Putting a fault in again
// renews it; one that has ended cannot be injected again.
type Control interface {
	Put(ctx context.Context, f Fault) error
	Get(ctx context.Context, id string) (Status, error)
	Delete(ctx context.Context, id, run string) error
	Owners
}

type targets struct {
	Proxy string `json:"proxy" jsonschema:"name of a proxy in the settings"`
}

// parameters is the parameters of a fault in a proxy.
type parameters interface {
	hit() hit
	problems() []error      // of what is its own
	effect() any            // what the proxy reads as JSON
	asked() mishap.Duration // the delay asked for; 0 if it is not one delay
}

// hit is the traffic that a fault hits.
type hit struct {
	direction string // empty if it concerns whole connections
	share     mishap.Share
	seed      uint64
}

// kind is what is particular to one fault in a proxy.
type kind struct {
	name, summary, doc, example string
	effect                      string // what the proxy calls it
	protocols                   string // "tcp", "udp" or "tcp udp"
	verb                        string // "delays connections"
	symptom                     mishap.Symptom
	arms                        bool // it can be confined to the experiment arm
	ramps                       bool
	params                      any
	read                        func(raw json.RawMessage) (parameters, error)
}

// readWith reads parameters over their defaults.
func readWith[W parameters](defaults W) func(json.RawMessage) (parameters, error) {
	return func(raw json.RawMessage) (parameters, error) {
		with := defaults
		err := mishap.Decode("with", raw, &with)
		return with, err
	}
}

func (k kind) injectorKind(d Deps) mishap.InjectorKind {
	return mishap.InjectorKind{
		Kind: mishap.Kind{
			Name: k.name, Summary: k.summary, Params: k.params, Example: k.example,
			Doc: k.doc + " The traffic must pass `mishap proxy`, whose listeners are in the settings under proxies. " +
				"The fault expires in the proxy unless it is renewed, so that it ends when mishap does. " +
				"What it did is counted: nothing means no effect, and no verdict.",
		},
		Targets: targets{}, Symptom: k.symptom, Keeper: mishap.KeeperProxy, Traffic: true, Ramps: k.ramps, Arms: k.arms,
		Do: []string{"connect to the proxy's control socket"}, Undo: []string{"connect to the proxy's control socket"},
		WhenLost: fmt.Sprintf("the fault expires in the proxy within %s", d.Lease),
		New: func(f mishap.Fault) (mishap.Injector, error) {
			with, t, err := k.readFault(f)
			err = mishap.WithProblems(err, errors.Join(with.problems()...), with.hit().check())
			if t.Proxy == "" {
				err = errors.Join(err, &mishap.FieldError{Path: "targets.proxy", Msg: "is missing: the name of a proxy in the settings"})
			}
			return &fault{deps: d, kind: k, proxy: t.Proxy}, err
		},
		Restore: func(mishap.Injection) (mishap.Injector, error) { return &fault{deps: d, kind: k}, nil },
		Uses: func(f mishap.Fault) (mishap.Uses, error) { // the proxy is one of the settings
			with, t, err := k.readFault(f)
			return mishap.UsesOf(with, t), err
		},
	}
}

func (k kind) readFault(f mishap.Fault) (parameters, targets, error) {
	var t targets
	bad := mishap.Decode("targets", f.Targets, &t)
	with, err := k.read(f.With)
	return with, t, errors.Join(bad, err)
}

func (h hit) check() error {
	var problems []error
	if h.share <= 0 {
		problems = append(problems, &mishap.FieldError{Path: "with.share", Msg: "must be above 0%", Hint: "leave it out for all connections"})
	}
	switch h.direction {
	case "", "upstream", "downstream", "both":
	default:
		problems = append(problems, &mishap.FieldError{Path: "with.direction", Msg: fmt.Sprintf("%q is unknown", h.direction), Hint: mishap.Suggest(h.direction, []string{"upstream", "downstream", "both"})})
	}
	return errors.Join(problems...)
}

// longestWait is the longest delay that a proxy takes.
const longestWait = 10 * time.Minute

// wait gives the problem of a duration that must be above 0, or at least 0 if zero is set.
func wait(path string, d mishap.Duration, zero bool) []error {
	switch {
	case d.Std() > longestWait, d <= 0 && !zero:
		bound := "above 0 and "
		if zero {
			bound = ""
		}
		return []error{&mishap.FieldError{Path: path, Msg: fmt.Sprintf("must be %sat most %s", bound, mishap.Duration(longestWait)), Hint: "for example 300ms"}}
	}
	return nil
}

// oneOf gives the problem of a word that is not among those known; empty is its default.
func oneOf(path, word string, known ...string) []error {
	for _, k := range known {
		if word == "" || word == k {
			return nil
		}
	}
	return []error{&mishap.FieldError{Path: path, Msg: fmt.Sprintf("%q is unknown", word), Hint: "known: " + strings.Join(known, ", ")}}
}
