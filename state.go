package mishap

// State is where a run stands.
type State string

// The states of a run.
const (
	Planned    State = "planned"   // resolved against the live system, nothing asked yet
	Checking   State = "checking"  // safeguards, then the steady state; nothing is touched
	Refused    State = "refused"   // ended before anything was touched
	Baseline   State = "baseline"  // the arms are set up and watched, before any fault
	Injecting  State = "injecting" // the first fault is going in
	Holding    State = "holding"   // faults are in; everything is watched
	Reverting  State = "reverting" // everything is being put back
	Stranded   State = "stranded"  // a revert gave up; a person must act
	Verifying  State = "verifying" // the steady state must come back
	Completed  State = "completed" // ended, with a verdict
	stateStart State = ""          // before the first entry
)

// States lists all states in the order of a run.
func States() []State {
	return []State{Planned, Checking, Refused, Baseline, Injecting, Holding, Reverting, Stranded, Verifying, Completed}
}

// CanBecome reports whether a run in state s may be recorded as next.
func (s State) CanBecome(next State) bool {
	for _, n := range stateTransitions()[s] {
		if n == next {
			return true
		}
	}
	return false
}

// Ended reports whether a run in state s has nothing left to do.
func (s State) Ended() bool { return s == Refused || s == Completed }

// Touched reports whether a run in state s may have changed its targets.
func (s State) Touched() bool {
	return s != stateStart && s != Planned && s != Checking && s != Refused
}

// stateTransitions is the whole state machine. From injecting on, there is no
// way to the end that does not pass through reverting; stranded settled by a
// person ends without verifying.
func stateTransitions() map[State][]State {
	return map[State][]State{
		stateStart: {Planned},
		Planned:    {Checking, Refused},
		Checking:   {Baseline, Injecting, Refused},
		Baseline:   {Injecting, Reverting},
		Injecting:  {Holding, Reverting},
		Holding:    {Reverting},
		Reverting:  {Verifying, Stranded, Reverting},
		Stranded:   {Reverting, Completed},
		Verifying:  {Completed, Reverting},
	}
}

// Cause is why a run left holding, or was refused.
type Cause string

// The causes.
const (
	CauseElapsed     Cause = "elapsed"     // every fault was in force for as long as it should
	CauseDeviation   Cause = "deviation"   // a probe went beyond its allowance
	CauseSafeguard   Cause = "safeguard"   // a safeguard said no, or could not tell
	CauseHarm        Cause = "harm"        // the comparison showed harm in the experiment arm
	CauseCleared     Cause = "cleared"     // the comparison ruled harm out
	CauseUndecided   Cause = "undecided"   // the comparison ended without an answer
	CauseArms        Cause = "arms"        // the arms cannot be compared
	CauseUnmeasured  Cause = "unmeasured"  // a probe could not measure more often than allowed
	CauseAbort       Cause = "abort"       // somebody asked for it from elsewhere
	CauseHalt        Cause = "halt"        // everything was halted
	CauseInterrupt   Cause = "interrupt"   // Ctrl-C or a signal
	CauseDisturbed   Cause = "disturbed"   // somebody else changed the same thing
	CauseError       Cause = "error"       // an injection failed
	CauseInternal    Cause = "internal"    // mishap itself failed: ledger, keeper or a panic
	CauseCrash       Cause = "crash"       // the server of the run was lost
	CauseSteadyState Cause = "steadyState" // refused: the steady state was not met
	CauseTarget      Cause = "target"      // refused: no target, or not the ones planned
	CausePersist     Cause = "persists"    // the fault was seen again after its revert
	CauseRetry       Cause = "retry"       // a stranded injection is tried again
	CauseSettled     Cause = "settled"     // a named person settled what was stranded

	// Why a run that was due, or asked for, did not start.
	CauseBusy   Cause = "busy"   // another run of its experiment or group is in the way
	CauseLimit  Cause = "limit"  // too much goes on already
	CauseLocked Cause = "locked" // it deviated, and nobody has unlocked it
	CauseImpact Cause = "impact" // its owner declared the harm as known
	CauseMissed Cause = "missed" // nobody served when it was due
	CausePolicy Cause = "policy" // the server's settings do not allow it

	CauseApproval Cause = "approval" // nobody else has approved its plan
)

// Elsewhere reports whether it lies outside of what a run tests: a person stopped it, or
// mishap itself did not go on.
func (c Cause) Elsewhere() bool {
	switch c {
	case CauseAbort, CauseHalt, CauseInterrupt, CauseCrash, CauseInternal:
		return true
	}
	return false
}
