package mishap

import (
	"context"
	"time"
)

// Probe measures one thing and compares it with what is expected.
type Probe interface {
	// Observe makes one measurement. It never fails: what could not be
	// measured is Unknown, with the reason in Detail; an answer of the system
	// that is wrong, refused, reset or late is Unmet. ctx carries the timeout.
	Observe(ctx context.Context) Observation
}

// Result is what an observation says.
type Result string

// The three results. Unknown never counts as met.
const (
	Met        Result = "met"
	Unmet      Result = "unmet"
	Unmeasured Result = "unknown"
)

// Observation is one measurement.
type Observation struct {
	Probe  string    `json:"probe"` // the probe's name in the experiment
	Phase  Phase     `json:"phase"`
	Result Result    `json:"result"`
	Value  string    `json:"value,omitempty"`  // what was measured, with its unit
	Detail string    `json:"detail,omitempty"` // why it is not met
	Took   Duration  `json:"took"`
	Start  time.Time `json:"start"`
}
