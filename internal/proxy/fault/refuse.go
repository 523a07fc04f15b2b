package fault

import "time"

// Refuse ends new connections instead of dialling the upstream. The kernel has accepted them by then, so that a client
// sees a connection that is reset or closed at once, and not ECONNREFUSED.
type Refuse struct {
	How Ending `json:"how,omitempty"` // reset (default) or close
}

// Kind is refuse.
func (Refuse) Kind() string { return "refuse" }

func (r Refuse) check(errs *Problems) {
	errs.Add(!r.How.valid(), "how %q must be reset or close", r.How)
}

// Arrive ends every connection.
func (r Refuse) Arrive(Draws) (time.Duration, Ending) { return 0, r.How.or(ByReset) }
