package proxy

import "time"

// Reset ends connections with a RST to both sides. Until then bytes pass untouched.
type Reset struct {
	After Duration `json:"after,omitempty"` // so long after the fault has reached the connection; 0: at once
}

// Kind is reset.
func (Reset) Kind() string { return "reset" }

func (r Reset) check(errs *problems) { errs.checkSpan("after", r.After, 0) }

func (r Reset) endsAfter() (time.Duration, bool) { return time.Duration(r.After), true }

func (r Reset) endsBy() ending { return byReset }
