// Package ledger keeps what must outlive a process: the journals of runs, what
// undoes their injections, the resource keys that these hold, which server owns
// which run, and whether everything is halted.
//
// [SQLite] is the ledger that the processes of one machine share, [Memory] its
// twin for tests on fake time. Both obey the same rules, and one conformance
// suite holds them to it:
//
//   - an injection's undo is durable before the call that announces it returns;
//   - every write of a run carries the server and fence of its [Lease], and a
//     write with an old fence changes nothing;
//   - there is at most one active run per experiment and per group;
//   - a resource key belongs to one injection until that has settled;
//   - entries are appended, and never change.
//
// Time is always a parameter.
package ledger

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"mishap"
)

// Errors that callers branch on.
var (
	// ErrHalted refuses a new run while everything is halted.
	ErrHalted = errors.New("everything is halted")
	// ErrFenced voids the write of a server that no longer owns the run.
	ErrFenced = errors.New("another server has taken the run over")
	// ErrKnownRun refuses to begin a run that the ledger has already: whoever
	// asked for it asked twice.
	ErrKnownRun = errors.New("the run is known already")
	// ErrUnknownRun is a run that the ledger does not have.
	ErrUnknownRun = errors.New("no such run")
	// ErrGone is a ledger whose file was removed or replaced while it was open.
	ErrGone = errors.New("the ledger's file was removed or replaced")
)

// BusyError refuses a second run of an experiment or a group.
type BusyError struct {
	Run        string // the active one
	Experiment string
	Group      string
	State      mishap.State
}

// Error names the run that is in the way.
func (b *BusyError) Error() string {
	return fmt.Sprintf("run %s of experiment %s (group %s) is %s", b.Run, b.Experiment, b.Group, b.State)
}

// KeyError refuses an injection on what belongs to another run, or on what
// another fault of its own run already changes.
type KeyError struct {
	Key mishap.Key
	Run string // the holder's run
	Own bool   // which is the injection's own
}

// Error names the key and its holder.
func (k *KeyError) Error() string {
	if !k.Own {
		return fmt.Sprintf("%s belongs to run %s until that is over", k.Key.Thing, k.Run)
	}
	return fmt.Sprintf("%s is already changed by another fault of run %s", k.Key, k.Run)
}

// Is makes it a [mishap.ErrTaken].
func (k *KeyError) Is(target error) bool { return target == mishap.ErrTaken }

// Start begins a run.
type Start struct {
	Server  string                   // who runs it
	First   mishap.Entry             // the planned entry, with Seq 1
	Admit   func(mishap.Facts) error // the governor, asked in the transaction; nil admits. It must only compute
	Advance *Advance                 // moves the schedule on that the run is of; may be nil
	InForce *Revision                // whose experiment it is: nothing begins if it is no longer the latest of its source; may be nil
	Act     *Act                     // for the audit, if the run begins; may be nil
}

// Refusal is a run that did not start.
type Refusal struct {
	First   mishap.Entry // the planned entry, with Seq 1
	Why     mishap.Entry // refused, with Seq 2
	Advance *Advance     // may be nil
}

// Replay is the run that did not start.
func (r Refusal) Replay() (*mishap.Run, error) { return mishap.Replay([]mishap.Entry{r.First, r.Why}) }

func (r Refusal) check() error {
	if r.First.Planned == nil || r.First.Seq != 1 || r.Why.State == nil || r.Why.State.To != mishap.Refused || r.Why.Seq != 2 || r.Why.Run != r.First.Run {
		return errors.New("record refusal: it takes a plan and a reason, numbers 1 and 2 of one run")
	}
	return nil
}

// Lease is a server's ownership of a run. The fence grows with each owner.
type Lease struct {
	Run    string
	Server string
	Fence  int64
}

// Record is a run as a list of runs shows it.
type Record struct {
	ID         string
	Experiment string
	Group      string
	State      mishap.State
	Server     string
	Fence      int64
	Began      time.Time
	Ended      time.Time // zero while it is active

	Verdict mishap.Verdict // when it has ended
	Cause   mishap.Cause
	Reason  string
	Kind    mishap.TriggerKind
	By      string    // who began it; empty if that was no person
	Tick    time.Time // of its schedule; zero if it has none
}

// Active reports whether the run holds its experiment's and group's locks.
func (r Record) Active() bool { return r.Ended.IsZero() }

// Lease is the ownership that the record shows.
func (r Record) Lease() Lease { return Lease{Run: r.ID, Server: r.Server, Fence: r.Fence} }

// Halt says that nothing may run.
type Halt struct {
	By     string
	Reason string
	At     time.Time
}

// String says who halted, when and why.
func (h Halt) String() string { return "halted " + h.Whose() }

// Whose is who halted everything, when and why: "by bob at 2026-01-02 15:04 UTC: incident 4711".
func (h Halt) Whose() string {
	s := fmt.Sprintf("by %s at %s", h.By, mishap.Moment(h.At))
	if h.Reason != "" {
		s += ": " + h.Reason
	}
	return s
}

// resumed is the act of who ended a halt.
func resumed(by, reason string, at time.Time) Act {
	if reason == "" {
		return Act{At: at, By: by, What: "resume"}
	}
	return Act{At: at, By: by, What: "resume: " + reason}
}

// InConsole is what acts of people in a browser came through, see [Through].
const InConsole = "in the console"

// Halts answers the reason of an act that halted everything.
func (a Act) Halts() (reason string, is bool) { return strings.CutPrefix(a.did(), "halt: ") }

// Resumes reports whether the act ended a halt.
func (a Act) Resumes() bool { return a.did() == "resume" || strings.HasPrefix(a.did(), "resume: ") }

// did is what was done, whatever it came through.
func (a Act) did() string { return strings.TrimPrefix(a.What, InConsole+": ") }

// check refuses entries that do not belong to the lease's run.
func (l Lease) check(entries []mishap.Entry) error {
	for _, e := range entries {
		if e.Run != l.Run {
			return fmt.Errorf("append entry %d of run %q with the lease of run %q", e.Seq, e.Run, l.Run)
		}
	}
	return nil
}

// checkStart refuses a start that is not one.
func (s Start) check() error {
	if s.First.Planned == nil || s.First.Seq != 1 || s.First.Run == "" || s.Server == "" {
		return errors.New("begin run: the first entry must be the plan, number 1, of a named run and server")
	}
	return nil
}
