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
	Disturbance *Disturbance     `json:"disturbance,omitempty"`
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

// InjectionChange moves one injection to another state. From reverting to reverting
// it says why an attempt to revert failed, which is made again.
type InjectionChange struct {
	ID     string         `json:"id"`
	To     InjectionState `json:"to"`
	Detail string         `json:"detail,omitempty"`
	By     string         `json:"by,omitempty"` // who settled it, if a person did
	// Injection is set when To is prepared, without its undo.
	Injection *Injection `json:"injection,omitempty"`
	// Ended is that it is [InjectionEnded], where To is gone: a reader that does not
	// know that state takes it for settled all the same.
	Ended bool `json:"ended,omitempty"`
}

// NewChange is the change of an injection to a state.
func NewChange(id string, to InjectionState, detail string) *InjectionChange {
	c := &InjectionChange{ID: id, To: to, Detail: detail}
	if to == InjectionEnded {
		c.To, c.Ended = InjectionGone, true
	}
	return c
}

// State is the state that the injection moves to.
func (c InjectionChange) State() InjectionState {
	if c.Ended && c.To == InjectionGone {
		return InjectionEnded
	}
	return c.To
}

// Recovered is how the system came back: all probes met twice running. When it
// was back is a range, see [Recovered.Range]. All times are counted from the
// verified revert.
type Recovered struct {
	In         bool     `json:"in"`         // within the deadline: the first of the two looks began by then
	Took       Duration `json:"took"`       // when that look began; if In is not set, the last look
	Resolution Duration `json:"resolution"` // from the beginning of the look before, which failed, or from the revert
	Attempts   int      `json:"attempts"`
	// Answered is when that look had all its answers. Journals of older versions
	// do not have it.
	Answered Duration `json:"answered,omitempty"`
	// Blind says why nobody knows whether it was back at the deadline; empty if
	// the look that began then was answered.
	Blind string `json:"blind,omitempty"`
}

// Range is when the system was back: after the last look that failed began,
// and before all answers of the first that succeeded were there.
func (r Recovered) Range() (after, within time.Duration) {
	return (r.Took - r.Resolution).Std(), max(r.Took, r.Answered).Std()
}

// Disturbance is what somebody else changed on a thing of the run while the run
// was judged: it may be why a probe was not met, or was.
type Disturbance struct {
	Injection string    `json:"injection"` // whose target it is
	By        string    `json:"by"`        // "by hand", "through Toxiproxy's API"
	What      string    `json:"what"`      // "fault slow (latency) was injected"
	Since     time.Time `json:"since"`     // it was not before that
}

// Note is something worth knowing that moves nothing.
type Note struct {
	Text string `json:"text"`
}
