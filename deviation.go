package mishap

// Deviated is the deviation of the run in words; empty if there was none. What
// the arms show is none if no fault touched anything: then something else made
// them differ.
func (r *Run) Deviated() string {
	if r.ArmsHarm != "" && !r.WithoutEffect() {
		return r.ArmsHarm
	}
	return r.Deviation
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
	case in.Felt != nil:
		return in.Felt.Connections > 0
	}
	return in.Looks == 0 || in.NotInForce < in.Looks
}

// deviate records the first deviation; it sticks.
func (r *Run) deviate(what string) {
	if r.Deviation == "" {
		r.Deviation = what
	}
}
