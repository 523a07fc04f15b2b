// Package mishap is the vocabulary of controlled chaos experiments: the words
// of the domain as types, the states of a run, and the pure functions that
// turn a run's journal into a verdict.
//
// # Vocabulary
//
// An [Experiment] is a falsifiable claim about a system, with a method and
// limits; one YAML file. Its steady state is a list of probes ([Probe]), each
// of which makes an [Observation]. A [Fault] names an [Injector], which causes
// and undoes one kind of harm; an [Injection] is one fault on one target,
// with everything that reverting it needs. A [Safeguard] may refuse a [Plan]
// before it starts and stop a run at any moment. A [Run] is the fold of its
// journal ([Entry]), and [Judge] says what the run has shown.
//
// # Life cycle
//
//	planned → checking → injecting → holding → reverting → verifying → completed
//	   └─────────┴→ refused  └──────────┴────────→ reverting ⇄ stranded
//
// After injecting is written there is no way out that does not pass through
// reverting. Abort, safeguard, deviation, Ctrl-C, panic and crash take the same
// road; only the recorded [Cause] differs.
//
// # Guarantees
//
// What undoes a fault is durable before the fault exists. A verdict is
// evidence: a fault that nobody felt, or an observation that could not be made,
// never becomes [Held].
//
// # Limits of this package
//
// It imports the standard library only, does no I/O, and starts no goroutine.
// It knows nothing of SQL, leases, cron, YAML, HTTP or any cloud. The API is v0:
// it may change between minor versions.
package mishap
