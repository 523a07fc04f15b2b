package mishap

import "fmt"

// Watch is what is known of one probe of the steady state.
type Watch struct {
	Spec      ProbeSpec
	Last      Observation
	Met       int // observations while holding
	Unmet     int
	Unknown   int
	Deviation string      // the first deviation in words; empty if there was none
	Beyond    Observation // the one that was more than is allowed; zero if there was none
	Blind     string      // the first time too many were unknown, in words

	recent []Result // the last ones while holding, oldest first
}

// add folds one observation. Only those made while a fault is in force count against
// the allowances; before, all must be met, and after, recovery judges.
func (w *Watch) add(o Observation) {
	w.Last = o
	if o.Phase != During {
		return
	}
	switch o.Result {
	case Met:
		w.Met++
	case Unmet:
		w.Unmet++
	default:
		w.Unknown++
	}
	w.recent = append(w.recent, o.Result)
	if most := max(w.Spec.Allow.Window, w.Spec.Unknown.Window, 1); len(w.recent) > most {
		w.recent = w.recent[len(w.recent)-most:]
	}
	if w.Deviation == "" && exceeds(w.recent, Unmet, w.Spec.Allow) {
		w.Beyond = o
		w.Deviation = fmt.Sprintf("%q was not met: %s%s", w.Spec.Name, o.Detail, w.Spec.Allow.spoken())
	}
	if w.Blind == "" && exceeds(w.recent, Unmeasured, w.Spec.Unknown) {
		w.Blind = fmt.Sprintf("%q could not be measured: %s%s", w.Spec.Name, o.Detail, w.Spec.Unknown.spoken())
	}
}

// Deviates reports whether the probe went beyond its allowance.
func (w *Watch) Deviates() bool { return w.Deviation != "" }

// exceeds reports whether the last a.Window results hold more than a.Count of
// kind.
func exceeds(recent []Result, kind Result, a Allowance) bool {
	if window := max(a.Window, 1); len(recent) > window {
		recent = recent[len(recent)-window:]
	}
	n := 0
	for _, r := range recent {
		if r == kind {
			n++
		}
	}
	return n > a.Count
}
