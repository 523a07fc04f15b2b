package fault

import (
	"fmt"
	"time"
)

// Limits of a fault. They keep a mistaken fault from holding a connection, or the proxy's memory, for long.
const (
	MaxExpires = time.Hour        // the longest lease of a fault
	MaxDelay   = 10 * time.Minute // the longest delay of a fault
	MaxName    = 128              // bytes in the id of a fault, or the name of a proxy
)

// Problems collects everything that is wrong with a fault.
type Problems []error

// Add notes a problem if bad.
func (p *Problems) Add(bad bool, format string, args ...any) {
	if bad {
		*p = append(*p, fmt.Errorf(format, args...))
	}
}

// BadID says what an id must be.
func BadID(id string) error {
	return fmt.Errorf("id %q must be 1 to %d letters, digits, or any of . _ : -", id, MaxName)
}

// CheckExpires checks the length of a lease.
func CheckExpires(d time.Duration) error {
	if d > 0 && d <= MaxExpires {
		return nil
	}
	return fmt.Errorf("expires %v must be above 0 and at most %v: a fault ends by itself unless it is renewed", d,
		MaxExpires)
}

// ValidName says whether a name is fit for a path, a log and a person.
func ValidName(s string) bool {
	if s == "" || len(s) > MaxName || s == "." || s == ".." {
		return false
	}
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		case r == '.', r == '_', r == ':', r == '-':
		default:
			return false
		}
	}
	return true
}

// checkSpan notes a duration that is not between least and MaxDelay.
func (p *Problems) checkSpan(name string, d Duration, least time.Duration) {
	bound := "must be above 0"
	if least == 0 {
		bound = "must not be negative"
	}
	p.Add(time.Duration(d) < least || time.Duration(d) > MaxDelay, "%s %v %s, and at most %v", name, time.Duration(d),
		bound, MaxDelay)
}
