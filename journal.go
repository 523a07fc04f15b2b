package mishap

import "time"

// Entry is one line of a run's journal. Exactly one of the pointers is set; an
// entry, once written, never changes.
type Entry struct {
	Run string    `json:"run"`
	Seq int64     `json:"seq"` // 1, 2, 3, … within the run, without gaps
	At  time.Time `json:"at"`

	Trigger *Trigger `json:"trigger,omitempty"` // why the run began; only beside Planned

	Planned     *Plan            `json:"planned,omitempty"`
	State       *StateChange     `json:"state,omitempty"`
	Check       *Check           `json:"check,omitempty"`
	Observation *Observation     `json:"observation,omitempty"`
	Injection   *InjectionChange `json:"injection,omitempty"`
	Effect      *Effect          `json:"effect,omitempty"`
	Comparison  *Comparison      `json:"comparison,omitempty"`
	Recovered   *Recovered       `json:"recovered,omitempty"`
	Note        *Note            `json:"note,omitempty"`
}

// StateChange moves the run to another state.
type StateChange struct {
	To     State  `json:"to"`
	Cause  Cause  `json:"cause,omitempty"`
	Reason string `json:"reason,omitempty"` // one sentence for a person
	By     string `json:"by,omitempty"`     // who, if a person
}

// Check is a safeguard's answer; an empty Reason is a yes. Repeated yeses are
// written once.
type Check struct {
	Safeguard string `json:"safeguard"`
	Answer    Answer `json:"answer"`
	Reason    string `json:"reason,omitempty"`
}

// InjectionChange moves one injection to another state.
type InjectionChange struct {
	ID     string         `json:"id"`
	To     InjectionState `json:"to"`
	Detail string         `json:"detail,omitempty"`
	By     string         `json:"by,omitempty"` // who settled it, if a person did
	// Injection is set when To is prepared, without its undo.
	Injection *Injection `json:"injection,omitempty"`
}

// Recovered is how the system came back: all probes met twice running, timed
// from the verified revert to the first of the two.
type Recovered struct {
	In         bool     `json:"in"`         // within the deadline
	Took       Duration `json:"took"`       // from the verified revert
	Resolution Duration `json:"resolution"` // the time since the look before: it may have been that much earlier
	Attempts   int      `json:"attempts"`
}

// Note is something worth knowing that moves nothing.
type Note struct {
	Text string `json:"text"`
}
