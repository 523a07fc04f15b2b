package mishap

// Class is what becomes of a fault that nobody reverts.
type Class string

// The classes; the zero value is reversible.
const (
	// Reversible faults stay until they are reverted.
	Reversible Class = ""
	// SelfRecovering faults are over by themselves, and what they did stays done:
	// an instance that was rebooted, a database that failed over. One that was seen
	// in force once counts as in force, and ends as [InjectionEnded].
	SelfRecovering Class = "self-recovering"
	// Expiring faults are reversible, and what they are in ends them at a time that
	// was fixed when they were injected.
	Expiring Class = "expiring"
	// Irreversible faults have no undo. A plan with one needs an explicit opt-in:
	// the safeguard irreversible.
	Irreversible Class = "irreversible"
)

// String is the class in words.
func (c Class) String() string {
	if c == Reversible {
		return "reversible"
	}
	return string(c)
}

// Symptom is what a fault looks like to whoever depends on what it is in. Each kind says
// its own, so that a new one cannot be left out where faults are shown by it.
type Symptom string

// The symptoms.
const (
	SymptomSlow        Symptom = "slow"              // it answers, or works off, later
	SymptomWrong       Symptom = "answers wrongly"   // with an error, or with something else
	SymptomUnreachable Symptom = "cannot be reached" // or hangs, or breaks off
	SymptomGone        Symptom = "is gone"           // it, or some of it, until it is replaced
	SymptomOther       Symptom = "other"             // whatever the file says, or nothing by itself
)

// Sentence says the symptom for people; empty if there is none.
func (s Symptom) Sentence() string {
	switch s {
	case "":
		return ""
	case SymptomOther:
		return "What whoever depends on the target sees depends on what the file says."
	case SymptomSlow:
		return "To whoever depends on the target, it is slow."
	}
	return "To whoever depends on the target, it " + string(s) + "."
}

// Symptoms are all of them.
func Symptoms() []Symptom {
	return []Symptom{SymptomSlow, SymptomWrong, SymptomUnreachable, SymptomGone, SymptomOther}
}
