// Package notify tells people and machines what came of the runs. Telling is
// never in the way of a run: a message is queued and sent later, once or more
// than once, in order for each target, and given up in the end.
package notify

import (
	"strings"
	"time"

	"mishap"
)

// Event is something worth telling.
type Event string

// The events.
const (
	Planned      Event = "planned"      // notice before a scheduled run
	Started      Event = "started"      // a run began
	Ended        Event = "ended"        // a run is over, with a verdict
	Refused      Event = "refused"      // a run did not start
	Stranded     Event = "stranded"     // a fault could not be taken out; a person must act
	NotRecovered Event = "notRecovered" // the faults are out, and the steady state did not come back
	Reverted     Event = "reverted"     // a stranded run was put back
	TreeBroken   Event = "treeBroken"   // the experiments can no longer be read
	TreeMended   Event = "treeMended"   // they can again
	Digest       Event = "digest"       // what happened in a while
)

// Events lists all events.
func Events() []Event {
	return []Event{Planned, Started, Ended, Refused, Stranded, NotRecovered, Reverted, TreeBroken, TreeMended, Digest}
}

// urgent reports whether a person has to act: such a message is the last to be
// dropped.
func (e Event) urgent() bool { return e == Stranded || e == NotRecovered }

// Message is one event in words and fields.
type Message struct {
	ID         string         `json:"id"` // unique; a receiver may drop what it has seen
	Event      Event          `json:"event"`
	At         time.Time      `json:"at"`
	Run        string         `json:"run,omitempty"`
	Experiment string         `json:"experiment,omitempty"`
	Group      string         `json:"group,omitempty"`
	Owner      string         `json:"owner,omitempty"`
	Claim      string         `json:"claim,omitempty"`
	State      mishap.State   `json:"state,omitempty"`
	Verdict    mishap.Verdict `json:"verdict,omitempty"`
	Reason     string         `json:"reason,omitempty"`
	Commit     string         `json:"commit,omitempty"`
	Path       string         `json:"path,omitempty"`
	Repository string         `json:"repository,omitempty"`
	Link       string         `json:"link,omitempty"` // of the report
	Text       string         `json:"text"`           // one sentence for a person; never empty
}

// words is the sentence of a message that was given none.
func (m Message) words() string {
	parts := []string{"mishap:"}
	if m.Experiment != "" {
		parts = append(parts, m.Experiment)
	}
	if m.Run != "" {
		parts = append(parts, "run "+m.Run)
	}
	parts = append(parts, string(m.Event))
	if m.Verdict != mishap.NoVerdict {
		parts = append(parts, string(m.Verdict))
	}
	if m.Reason != "" {
		parts = append(parts, "("+m.Reason+")")
	}
	return strings.Join(parts, " ")
}

// cut shortens text to at most limit characters.
func cut(text string, limit int) string {
	runes := []rune(text)
	if len(runes) <= limit {
		return text
	}
	return string(runes[:limit-1]) + "…"
}
