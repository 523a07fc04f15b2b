package mishap

import (
	"context"
	"fmt"
	"time"
)

// Safeguard may refuse a plan before it starts and stop a run at any moment.
type Safeguard interface {
	// Check answers nil for yes, and nothing else means yes: a [*Veto] is a
	// considered no, any other error is "could not tell", which also stops.
	Check(ctx context.Context, s Situation) error
}

// Foreseer is a safeguard that can say beforehand when it refuses, whatever would run.
type Foreseer interface {
	// Refuses lists when it refuses within a stretch of time, by their beginnings. They
	// may overlap, and reach beyond it. An error is "could not tell".
	Refuses(ctx context.Context, from, to time.Time) ([]Span, error)
}

// Span is a stretch of time in which nothing may run.
type Span struct {
	Safeguard string
	From, To  time.Time // To is not part of it
	Reason    string    // in a few words; a run that would reach into it is refused as well
}

// Situation is what a safeguard is asked about.
type Situation struct {
	Plan    Plan
	State   State
	Now     time.Time
	Started time.Time // when the first fault was injected; zero before
}

// Veto is a safeguard's considered no.
type Veto struct {
	Safeguard string
	Reason    string // one sentence: what is wrong
	Hint      string // what to do; may be empty
}

// Error returns the reason with the safeguard's name.
func (v *Veto) Error() string { return fmt.Sprintf("safeguard %s: %s", v.Safeguard, v.Reason) }
