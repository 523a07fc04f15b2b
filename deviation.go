package mishap

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// Deviated is the deviation of the run in words; empty if there was none. What
// the arms show is none if no fault touched anything: then something else made
// them differ. And nothing is one that showed after others had changed a thing
// of the run.
func (r *Run) Deviated() string {
	switch {
	case r.ArmsHarm != "" && !r.WithoutEffect() && !r.disturbedBefore(r.ArmsHarmAt):
		return r.ArmsHarm
	case r.Deviation != "" && !r.disturbedBefore(r.DeviatedAt):
		return r.Deviation
	}
	return ""
}

// Showed is how long after its first fault was in the deviation of the run
// showed; 0 if it did not deviate before its faults were reverted.
func (r *Run) Showed() time.Duration {
	what, at := r.Deviated(), r.DeviatedAt
	if what == r.ArmsHarm {
		at = r.ArmsHarmAt
	}
	var first time.Time
	for _, in := range r.Injections {
		if in.Fault != ArmsFault && !in.InjectedAt.IsZero() && (first.IsZero() || in.InjectedAt.Before(first)) {
			first = in.InjectedAt
		}
	}
	if what == "" || first.IsZero() || !r.RevertingAt.IsZero() && at.After(r.RevertingAt) {
		return 0
	}
	return max(at.Sub(first), 0)
}

// WithoutEffect reports whether the run had faults, and all that is known says
// that none of them did anything.
func (r *Run) WithoutEffect() bool {
	for _, in := range r.Injections {
		if in.Fault != ArmsFault && in.touched() {
			return false
		}
	}
	return r.faulted()
}

// touched reports whether the injection may have had an effect: traffic met it,
// or, where that is not counted, a look saw it in force, or nobody looked.
func (in *RunInjection) touched() bool {
	switch {
	case in.InjectedAt.IsZero():
		return false
	case in.Felt != nil && (in.Felt.Connections > 0 || !in.Uncounted):
		return in.Felt.Connections > 0
	}
	return in.Looks == 0 || in.NotInForce < in.Looks
}

// deviate records the first deviation; it sticks.
func (r *Run) deviate(at time.Time, what string) {
	if r.Deviation == "" {
		r.Deviation, r.DeviatedAt = what, at
	}
}

// disturbedBefore reports whether somebody else may have changed a thing of the
// run before that time, so that what it showed then need not be its fault's.
func (r *Run) disturbedBefore(at time.Time) bool {
	for _, d := range r.Disturbed {
		if !d.Since.After(at) {
			return true
		}
	}
	for _, in := range r.Injections {
		if in.State == InjectionSuperseded && !in.OutAt.IsZero() && !in.OutAt.After(at) {
			return true
		}
	}
	return false
}

// doubtDisturbed names who else changed a thing of the run.
func doubtDisturbed(r *Run) string {
	var all []string
	for _, d := range r.Disturbed {
		target := r.Injection(d.Injection).Target.Label()
		if said := fmt.Sprintf("%s %s while the run was judged (%s)", d.What, d.By, target); len(all) == 0 || all[len(all)-1] != said {
			all = append(all, said)
		}
	}
	for _, in := range r.Injections {
		if in.State == InjectionSuperseded && in.By == "" {
			all = append(all, strings.TrimSuffix(fmt.Sprintf("somebody else changed %s while %s was in force: %s", in.Target.Label(), in.Fault, in.Detail), ": "))
		}
	}
	if all == nil {
		return ""
	}
	text := "changed by others: " + strings.Join(all, "; ")
	if what := cmp.Or(r.ArmsHarm, r.Deviation); what != "" {
		text += "; so it says nothing that " + what
	}
	return text
}
