package mishap

import (
	"fmt"
	"slices"
	"strings"
)

// Verdict is what a run has shown about its claim.
type Verdict string

// The three verdicts. A run that is refused, or not over, has none.
const (
	Held         Verdict = "held"
	Deviated     Verdict = "deviated"
	Inconclusive Verdict = "inconclusive"
	NoVerdict    Verdict = ""
)

// Judge says what a run has shown, and why, in one sentence. It is a pure
// function of the run, and so of its journal:
//
//   - deviated: a probe beyond its allowance, harm shown between the arms of a
//     fault that met anything, or no recovery in time. It sticks, whatever
//     stopped the run later; but it is nothing if somebody else had changed a
//     thing of the run before.
//   - held: the faults were in for as long as they should, in force at every
//     look, and felt where they act on traffic; every probe met while each
//     fault was in, and as often as its allowances ask; harm ruled out where arms are
//     compared; the system recovered; nothing was ever stranded.
//   - inconclusive: everything else.
//
// A run whose end is not in its journal has no verdict: nobody could read it
// there again.
func Judge(r *Run) (Verdict, string) {
	if r.Unwritten != "" && r.State != Stranded {
		return NoVerdict, "the end of the run is not in its journal: " + r.Unwritten
	}
	switch r.State {
	case Completed:
	case Stranded:
		return NoVerdict, "a person must act: " + strings.Join(stuck(r), "; ")
	default:
		return NoVerdict, r.Reason
	}
	if deviation := r.Deviated(); deviation != "" {
		return Deviated, deviation
	}
	for _, doubt := range []string{doubtDisturbed(r), doubtStranded(r), doubtCause(r), doubtEffect(r), doubtWatched(r), doubtComparison(r), doubtProbes(r), doubtRecovery(r)} {
		if doubt != "" {
			return Inconclusive, doubt
		}
	}
	switch {
	case r.Plan.NoFault && r.Plan.Experiment.Compare != nil:
		return Held, "without a fault: " + r.Compared().Reason
	case r.Plan.NoFault:
		return Held, "without a fault: " + r.probesHeld()
	case r.Plan.Experiment.Compare != nil:
		return Held, r.Compared().Reason + "; the system recovered"
	}
	return Held, r.probesHeld() + " while the fault was in force, and the system recovered"
}

// probesHeld says how the probes of a run that held were met. There need not be
// one that watches: then it held that the system recovered, and nothing else.
func (r *Run) probesHeld() string {
	text := "no probe was asked"
	for _, w := range r.Watches {
		switch {
		case w.Unmet+w.Unknown > 0:
			return "every probe was met as often as it has to be"
		case w.Spec.In(During):
			text = "every probe was met"
		}
	}
	return text
}

// doubtComparison says why the arms do not show that there was no harm.
func doubtComparison(r *Run) string {
	if r.Plan.Experiment.Compare == nil {
		return ""
	}
	last := r.Compared()
	switch {
	case last == nil:
		return "the arms were never compared while the fault was in force"
	case last.Outcome == HarmRuledOut:
		return ""
	case last.Reason != "":
		return last.Reason
	}
	why := last.Doubts
	if last.Intervals != nil {
		why = append(slices.Clone(why), last.Intervals.Waits...)
	}
	text := "the comparison had no answer yet when the faults were over"
	if len(why) > 0 {
		text += ": " + strings.Join(why, "; ")
	}
	return text
}

// stuck says of each injection that is left why.
func stuck(r *Run) []string {
	var all []string
	for _, in := range r.Outstanding() {
		all = append(all, fmt.Sprintf("%s on %s could not be reverted: %s", in.Fault, in.Target.Label(), in.Detail))
	}
	return all
}

func doubtCause(r *Run) string {
	switch {
	case r.EverLost:
		return "the server of the run was lost before it was over"
	case r.Cause == CauseElapsed, r.Cause == CauseCleared:
		return ""
	case r.Cause == CauseHarm && r.WithoutEffect():
		return "" // the effect is what is doubted
	}
	return r.Reason
}

func doubtStranded(r *Run) string {
	for _, in := range r.Injections {
		if in.By != "" {
			return fmt.Sprintf("%s on %s was settled by %s: %s", in.Fault, in.Target.Label(), in.By, in.Detail)
		}
	}
	if r.WasStuck {
		return "a revert gave up and had to be repeated"
	}
	return ""
}

func doubtEffect(r *Run) string {
	if !r.faulted() && !r.Plan.NoFault {
		return "nothing was injected"
	}
	for _, in := range r.Injections {
		switch {
		case in.InjectedAt.IsZero():
			return fmt.Sprintf("no effect: %s on %s was never injected", in.Fault, in.Target.Label())
		case in.Looks == 0:
			return fmt.Sprintf("no effect shown: nobody looked whether %s on %s was in force", in.Fault, in.Target.Label())
		case !in.OutAt.IsZero():
			return fmt.Sprintf("no effect shown: %s on %s was not seen in force at %d of %s, although nobody had reverted it: somebody else may have changed it, or ended what it was in", in.Fault, in.Target.Label(), in.NotInForce, Plural(in.Looks, "look"))
		case in.NotInForce > 0:
			return fmt.Sprintf("no effect shown: %s on %s was not seen in force at %d of %s", in.Fault, in.Target.Label(), in.NotInForce, Plural(in.Looks, "look"))
		case in.Uncounted:
			return fmt.Sprintf("no effect shown: what %s on %s affected is not known, or not all of it: what counted it was started anew, or is gone", in.Fault, in.Target.Label())
		case in.Felt != nil && in.Felt.Connections == 0:
			return fmt.Sprintf("no effect: %s on %s affected no traffic", in.Fault, in.Target.Label())
		}
	}
	return ""
}

// doubtWatched says which fault was in while a probe that watches it gave no
// answer: nobody saw what it did. Nor does it hold where no answer was met: what
// is allowed is then all that was seen.
func doubtWatched(r *Run) string {
	for _, in := range r.Injections {
		for _, w := range r.Watches {
			if in.Fault == ArmsFault || !w.Spec.In(During) {
				continue
			}
			switch met, answered := in.Answered[w.Spec.Name]; {
			case !answered:
				return fmt.Sprintf("nobody saw %s on %s: %q gave no answer in the time that it was in force (a longer `for` or a shorter timeout of the probe shows it)", in.Fault, in.Target.Label(), w.Spec.Name)
			case !met && w.Blind == "":
				return fmt.Sprintf("%q was never met while %s on %s was in force: a longer `for` shows whether that stays within what is allowed", w.Spec.Name, in.Fault, in.Target.Label())
			}
		}
	}
	return ""
}

// faulted reports whether there is an injection besides the arms.
func (r *Run) faulted() bool {
	for _, in := range r.Injections {
		if in.Fault != ArmsFault {
			return true
		}
	}
	return false
}

func doubtProbes(r *Run) string {
	var blind []string
	for _, w := range r.Watches {
		switch {
		case w.Blind != "":
			blind = append(blind, w.Blind)
		case w.Spec.In(During) && w.Met == 0:
			blind = append(blind, fmt.Sprintf("%q was never met while the fault was in force", w.Spec.Name))
		}
	}
	return strings.Join(blind, "; ")
}

func doubtRecovery(r *Run) string {
	switch {
	case r.Recovered == nil:
		return "nobody saw the system recover"
	case r.Recovered.Blind != "":
		return fmt.Sprintf("whether the system came back within %s is not known: %s", r.Plan.Experiment.Recovery.Within, r.Recovered.Blind)
	}
	return ""
}

// Label is what a person calls the target.
func (t Target) Label() string {
	if t.Name != "" && t.Name != t.ID {
		return fmt.Sprintf("%s %s (%s)", t.Kind, t.Name, t.ID)
	}
	return t.Kind + " " + t.ID
}

// Outcome is how a run, or a command that runs several, ended for its caller.
type Outcome int

// The outcomes; their order says nothing, see [Worst].
const (
	OutcomeHeld Outcome = iota
	OutcomeInternal
	OutcomeUsage
	OutcomeDeviated
	OutcomeInconclusive
	OutcomeRefused
	OutcomeStillIn
	OutcomeInterrupted
)

// OutcomeOf classifies a run.
func OutcomeOf(r *Run) Outcome {
	verdict, _ := Judge(r)
	switch {
	case r.Unwritten != "" && (r.State == Refused || r.State == Completed):
		return OutcomeInternal
	case r.State == Refused && r.Cause == CauseInterrupt:
		return OutcomeInterrupted
	case r.State == Refused && r.Cause == CauseInternal:
		return OutcomeInternal
	case r.State == Refused:
		return OutcomeRefused
	case r.State != Completed:
		return OutcomeStillIn
	case r.Internal:
		return OutcomeInternal
	case verdict == Deviated:
		return OutcomeDeviated
	case r.Stopped:
		return OutcomeInterrupted
	case verdict == Inconclusive:
		return OutcomeInconclusive
	default:
		return OutcomeHeld
	}
}

// ExitCode maps an outcome to the exit code of the program; it is the only
// place that does.
func (o Outcome) ExitCode() int {
	return [...]int{
		OutcomeHeld: 0, OutcomeInternal: 1, OutcomeUsage: 2, OutcomeDeviated: 3,
		OutcomeInconclusive: 4, OutcomeRefused: 5, OutcomeStillIn: 6, OutcomeInterrupted: 130,
	}[o]
}

// Worst returns the worse of two outcomes: still in, internal, usage, deviated,
// interrupted, inconclusive, refused, held.
func Worst(a, b Outcome) Outcome {
	for _, o := range []Outcome{OutcomeStillIn, OutcomeInternal, OutcomeUsage, OutcomeDeviated, OutcomeInterrupted, OutcomeInconclusive, OutcomeRefused} {
		if a == o || b == o {
			return o
		}
	}
	return OutcomeHeld
}
