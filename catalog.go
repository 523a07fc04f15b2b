package mishap

import (
	"encoding/json"
	"fmt"
	"time"
)

// Kind describes one entry of a catalog.
type Kind struct {
	Name    string // "ec2-stop": service-verb
	Summary string // one line
	Doc     string // a paragraph or two, Markdown
	Params  any    // zero value of the struct that `with` is read into; its tags make the schema
	Example string // YAML of one use
}

// InjectorKind is an injector in the catalog.
type InjectorKind struct {
	Kind
	Targets   any     // zero value of the struct that `targets` is read into; nil if there are none
	Symptom   Symptom // what whoever depends on a target sees of it
	Class     Class   // what becomes of the fault if nobody reverts it
	Keeper    Keeper  // what ends the fault when its server is gone
	LinuxOnly bool
	Ramps     bool     // its parameters can be changed while it is in: the injector is a renewer
	Arms      bool     // it can be confined to the experiment arm of requests
	Samples   bool     // it can leave as many like targets alone: control
	Traffic   bool     // its effect shows in traffic, so that none felt is no effect
	Do        []string // permissions that injecting needs, such as "ec2:StopInstances"
	Undo      []string // permissions that reverting needs
	WhenLost  string   // what happens when server and keeper are lost together, for `plan`
	// Batch is the most injections in one account and region that one call takes:
	// the injector is a [Batcher]. 0: each has a call of its own.
	Batch int
	// RevertTakes is how long reverting may take until the injection is stranded; the
	// setting revertWithin, if that is longer.
	RevertTakes time.Duration
	// Settles is how long what is read may be what was before: after a call that
	// changes something, and after one whose answer was lost or that a crash cut off,
	// which may have done so. A revert counts when it was looked at for that long
	// since. 0: what is read is what is.
	Settles time.Duration
	// Permits says what some injections of the kind need, in one account and region;
	// nil: the words of Do and Undo are all that is known.
	Permits func(all []Injection) Permissions
	// Needs says what a fault of a file needs in some of the places, whatever it will
	// find there; what it acts on must carry the tags. Nil: nothing of a cloud.
	Needs func(f Fault, places []Place, tags map[string]string) (Permissions, error)
	// New checks the fault's parameters and targets and returns its injector.
	// Problems are [*FieldError] values, joined, so that all are reported.
	New func(f Fault) (Injector, error)
	// Restore makes the injector of a recorded injection, which reverts and
	// verifies it but cannot prepare another. That of a [Batcher] takes the others of
	// its batch as well.
	Restore func(in Injection) (Injector, error)
	// Uses is what the fault starts, reads and reaches; nil: not declared.
	Uses func(f Fault) (Uses, error)
}

// Complete gives injections that were prepared, of one fault, what the kind says
// of them, and numbers the calls that take them.
func (k InjectorKind) Complete(found []Injection) []Injection {
	type call struct {
		batch, size int
	}
	calls, latest := 0, map[Place]call{}
	for i := range found {
		in := &found[i]
		in.Class, in.Settles, in.RevertTakes, in.Batch = k.Class, Duration(k.Settles), Duration(k.RevertTakes), 0
		if k.Batch == 0 {
			continue
		}
		now := latest[in.Target.Where]
		if now.batch == 0 || now.size == k.Batch {
			calls++
			now = call{batch: calls}
		}
		now.size++
		in.Batch, latest[in.Target.Where] = now.batch, now
	}
	return found
}

// Restore makes the injector of a recorded injection: its kind is looked up by
// the name that the record has.
func Restore(kinds []InjectorKind, in Injection) (Injector, error) {
	for _, k := range kinds {
		if k.Name == in.Injector {
			return k.Restore(in)
		}
	}
	return nil, WithHint(fmt.Errorf("restore injection %s: this mishap has no injector %q", in.ID, in.Injector), "use the version of mishap that injected it")
}

// Keeper says what ends a fault when its server is gone.
type Keeper string

// The keepers.
const (
	KeeperProcess Keeper = "keeper" // a local process of mishap, which also injects
	KeeperProxy   Keeper = "proxy"  // the proxy: the fault expires there
)

// ProbeKind is a probe in the catalog.
type ProbeKind struct {
	Kind
	Expect any // zero value of the struct that `expect` is read into
	New    func(s ProbeSpec) (Probe, error)
	Uses   func(s ProbeSpec) (Uses, error) // what it starts, reads and reaches; nil: not declared
	// OwnArms names the expectations ("expect.opens") that only arms of their
	// own can show: arms that are made of requests share what is measured. Nil:
	// none has any.
	OwnArms func(s ProbeSpec) []string
}

// SafeguardKind is a safeguard in the catalog.
type SafeguardKind struct {
	Kind
	Always bool // asked for every plan, whether the experiment names it or not
	Timed  bool // answers from the situation's plan and time alone, so that it can be asked about the future
	New    func(with json.RawMessage) (Safeguard, error)
	Uses   func(with json.RawMessage) (Uses, error) // what it starts, reads and reaches; nil: not declared
}

// SourceKind is a source of the numbers of a comparison in the catalog.
type SourceKind struct {
	Kind
	Check func(m CompareMetric) error         // problems are [*FieldError] values, joined
	Uses  func(m CompareMetric) (Uses, error) // what it starts, reads and reaches; nil: not declared
}

// FieldError is a problem with one value of an experiment.
type FieldError struct {
	Path string // from the enclosing probe, fault or safeguard: "with.url", "expect.status"
	Msg  string // what is wrong
	Hint string // what to do; may be empty

	Secret bool // the value is a secret: what shows where it stands must not show it
}

// Error returns path and message.
func (e *FieldError) Error() string { return fmt.Sprintf("%s: %s", e.Path, e.Msg) }
