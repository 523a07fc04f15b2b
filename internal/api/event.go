package api

import (
	"time"

	"mishap"
)

// Event is something that happened in a server, for whoever listens: an entry of
// a run, a source that changed, or a due run that waits.
type Event struct {
	Seq    int64         `json:"seq"` // 1, 2, 3, … in this process
	At     time.Time     `json:"at"`
	Entry  *mishap.Entry `json:"entry,omitempty"`
	Source *SourceEvent  `json:"source,omitempty"`

	Waiting *mishap.Waiting `json:"waiting,omitempty"`
}

// SourceEvent is a source of experiments that was looked at and changed.
type SourceEvent struct {
	Name    string `json:"name"`
	Commit  string `json:"commit,omitempty"`
	Digest  string `json:"digest,omitempty"`
	Problem string `json:"problem,omitempty"`
}
