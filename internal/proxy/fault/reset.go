package fault

import "time"

// Reset ends connections with a RST to both sides. Until then bytes pass untouched.
type Reset struct {
	After Duration `json:"after,omitempty"` // so long after the fault has reached the connection; 0: at once
}

// Kind is reset.
func (Reset) Kind() string { return "reset" }

func (r Reset) check(errs *Problems) { errs.checkSpan("after", r.After, 0) }

// EndsAfter is at once, unless the fault says otherwise.
func (r Reset) EndsAfter() (time.Duration, bool) { return time.Duration(r.After), true }

// EndsBy is a RST.
func (r Reset) EndsBy() Ending { return ByReset }
