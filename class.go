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
