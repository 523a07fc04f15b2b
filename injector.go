package mishap

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Target is one thing that a fault touches.
type Target struct {
	ID    string            `json:"id"`             // unique within its kind: an ARN, a PID with its start time, a proxy's name
	Kind  string            `json:"kind"`           // "process", "ec2-instance", "proxy", "command"
	Name  string            `json:"name,omitempty"` // what a person calls it
	Where Place             `json:"where,omitzero"`
	Tags  map[string]string `json:"tags,omitempty"`
	State string            `json:"state,omitempty"` // how it was when it was found, as its API calls it: "running"
}

// Place is where a target lives. The zero value is this machine, which needs
// nobody's permission; anything else must be listed in the settings.
type Place struct {
	Host    string `json:"host,omitempty"`
	Account string `json:"account,omitempty"`
	Region  string `json:"region,omitempty"`
}

// Local reports whether p is this machine.
func (p Place) Local() bool { return p == Place{} }

// Request is what an injector prepares.
type Request struct {
	Run   string // the run's id; "plan" when only planning
	Fault Fault
	Limit BlastRadius
	Arms  *ArmsRequest // nil: the run has no arms of requests
	// Sample asks for as many like targets again, which are left alone: control.
	// Too few of them is an error wrapping [ErrNoTarget].
	Sample bool
}

// ArmsRequest is what the arms of a run and the faults that are confined to its
// experiment arm have in common.
type ArmsRequest struct {
	Run   string
	Token string // who is in the experiment bears it; it is kept as undo is
	Share Share  // of the units, of each arm: what a confined fault may hit at most
}

// Injection is one fault on one target, with everything that reverting it
// needs: another process on another machine must be able to revert it from
// this record alone.
type Injection struct {
	ID       string          `json:"id"` // unique over all runs; set by the runner
	Run      string          `json:"run"`
	Fault    string          `json:"fault"`    // the fault's name in the experiment
	Injector string          `json:"injector"` // names the code that reverts it
	Target   Target          `json:"target"`
	Control  *Target         `json:"control,omitempty"` // the like target that is left alone, where arms are sampled
	Matched  int             `json:"matched"`           // how many targets the selection matched, of which this is one
	Share    Share           `json:"share,omitempty"`   // part of the target's traffic that it may hit; 0 means all of the target
	With     json.RawMessage `json:"with,omitempty"`
	Undo     json.RawMessage `json:"undo,omitempty"` // never part of a plan, a journal or a report
	Keys     []Key           `json:"keys"`           // what it will change, and what must be left alone meanwhile
	For      Duration        `json:"for"`            // how long it may last
	Notes    []string        `json:"notes,omitempty"`

	// What its kind says of it, see [InjectorKind.Complete]: who reverts it may not
	// know the kind, or another version of it.
	Class       Class    `json:"class,omitempty"`
	Batch       int      `json:"batch,omitempty"` // those of one fault with the same number are injected, reverted and looked at in one call; 0: by itself
	Settles     Duration `json:"settles,omitempty"`
	RevertTakes Duration `json:"revertTakes,omitempty"`
}

// Lasts is how long the injection is in at most, see [Fault.Lasts].
func (in Injection) Lasts() time.Duration { return lasts(in.For) }

// Injector causes and undoes one kind of fault. A call must return when its
// context ends, which is after [CallWithin] at most: what takes longer is asked
// for, and asked after again.
type Injector interface {
	// Prepare resolves the fault's targets, captures undo and names resource
	// keys. It must read only, and change nothing. A selection that finds
	// nothing is an error wrapping [ErrNoTarget].
	Prepare(ctx context.Context, req Request) ([]Injection, error)

	// Inject puts the fault in force. It must be idempotent, and return only after
	// the system has accepted it. An error leaves open whether it is in.
	Inject(ctx context.Context, in Injection) error

	// Revert takes the fault out and must verify by reading the system back.
	// It must be idempotent and right whether Inject finished, half finished
	// or never ran, in another process, given only in. It is a delta: what it
	// finds changed by others stays, and is answered as superseded. What takes
	// longer than a moment is asked for and answered as reverting: Revert is
	// called again then. An answer that rests on a read may be wrong for as long
	// as the kind settles; whoever calls it looks again after that.
	Revert(ctx context.Context, in Injection) (Reverted, error)

	// Verify says whether the fault is in force now. An error means that it
	// cannot be known.
	Verify(ctx context.Context, in Injection) (Effect, error)
}

// Reverted is how far a revert has come.
type Reverted struct {
	// State is [InjectionReverted], [InjectionEnded], [InjectionGone] or
	// [InjectionSuperseded]; or [InjectionReverting]: asked for, and not back yet.
	State  InjectionState `json:"state"`
	Detail string         `json:"detail,omitempty"`
	// Again is after how long it is worth asking again, of what is not back yet;
	// 0: whoever asks decides.
	Again Duration `json:"again,omitempty"`
}

// Unsettled is why the injection is not settled by that answer; nil if it is.
func (r Reverted) Unsettled() error {
	switch {
	case r.State.Settled():
		return nil
	case r.State != InjectionReverting:
		return fmt.Errorf("the injector answered %q, which settles nothing", r.State)
	case r.Detail == "":
		return errors.New("it is not back yet")
	}
	return fmt.Errorf("it is not back yet: %s", r.Detail)
}

// Effect is what an injector sees of its fault.
type Effect struct {
	Injection string   `json:"injection"`
	InForce   Answer   `json:"inForce"`
	Traffic   *Traffic `json:"traffic,omitempty"` // only for faults on traffic
	// Arms is what a fault confined to the experiment arm did to both; nil if it
	// is not confined, or has seen neither.
	Arms *ArmsEffect `json:"arms,omitempty"`
	// Left is how many of the open connections that a fault on traffic is for are
	// in the process that a restart of the proxy left behind.
	Left int64 `json:"left,omitempty"`
	// Gone means that the target is no more. What was in force before has hit it:
	// that it is not any longer says nothing against the effect.
	Gone   bool      `json:"gone,omitempty"`
	Detail string    `json:"detail,omitempty"`
	At     time.Time `json:"-"`
}

// ArmsEffect is what a fault confined to the experiment arm did since it was
// injected.
type ArmsEffect struct {
	Treated ArmCount `json:"treated"` // requests that it hit: of control there must be none
	Passed  ArmCount `json:"passed"`  // requests that it let pass: of control, or beyond its share or limit
}

// Traffic is what a fault on traffic did to it since it was injected.
type Traffic struct {
	Connections int64    `json:"connections"`        // that it delayed or changed; requests, if it acts on those
	Requests    bool     `json:"requests,omitempty"` // what is counted are requests
	Bytes       int64    `json:"bytes"`              // delayed or changed
	Count       int64    `json:"count"`              // delays delivered
	Requested   Duration `json:"requested"`          // the delay asked for
	Mean        Duration `json:"mean"`               // delay delivered
	P50         Duration `json:"p50"`
	P99         Duration `json:"p99"`
	Max         Duration `json:"max"`
}

// Answer is yes, no or unknown; unknown never counts as yes.
type Answer string

// The three answers.
const (
	Yes     Answer = "yes"
	No      Answer = "no"
	Unknown Answer = "unknown"
)

// InjectionState is where one injection stands.
type InjectionState string

// The states of an injection, in order; the last five are where it may end.
const (
	InjectionPrepared   InjectionState = "prepared"   // undo is durable, nothing is changed
	InjectionInjecting  InjectionState = "injecting"  // the call may have been made
	InjectionInjected   InjectionState = "injected"   // the fault is in
	InjectionReverting  InjectionState = "reverting"  // being undone
	InjectionReverted   InjectionState = "reverted"   // undone, read back
	InjectionEnded      InjectionState = "ended"      // it recovers by itself, and was seen in force
	InjectionGone       InjectionState = "gone"       // the target no longer exists
	InjectionSuperseded InjectionState = "superseded" // someone else changed it, and what they wrote stands
	InjectionStranded   InjectionState = "stranded"   // a revert gave up; a person must act
)

// Settled reports whether nothing is left to revert.
func (s InjectionState) Settled() bool {
	return s == InjectionReverted || s == InjectionEnded || s == InjectionGone || s == InjectionSuperseded
}

// MayBeIn reports whether the fault is or may still be in the system.
func (s InjectionState) MayBeIn() bool {
	return s != InjectionPrepared && !s.Settled()
}

// CanBecome reports whether an injection in state s may be recorded as next.
func (s InjectionState) CanBecome(next InjectionState) bool {
	for _, n := range injectionTransitions()[s] {
		if n == next {
			return true
		}
	}
	return false
}

func injectionTransitions() map[InjectionState][]InjectionState {
	return map[InjectionState][]InjectionState{
		"":                  {InjectionPrepared},
		InjectionPrepared:   {InjectionInjecting, InjectionReverting},
		InjectionInjecting:  {InjectionInjected, InjectionReverting},
		InjectionInjected:   {InjectionReverting},
		InjectionReverting:  {InjectionReverting, InjectionReverted, InjectionEnded, InjectionGone, InjectionSuperseded, InjectionStranded},
		InjectionStranded:   {InjectionReverting},
		InjectionReverted:   {InjectionReverting},
		InjectionEnded:      {InjectionReverting},
		InjectionGone:       {InjectionReverting},
		InjectionSuperseded: {InjectionReverting},
	}
}

// InjectionStates lists all states in the order of an injection.
func InjectionStates() []InjectionState {
	return []InjectionState{
		InjectionPrepared, InjectionInjecting, InjectionInjected, InjectionReverting,
		InjectionReverted, InjectionEnded, InjectionGone, InjectionSuperseded, InjectionStranded,
	}
}
