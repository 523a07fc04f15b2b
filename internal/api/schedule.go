package api

import (
	"time"

	"mishap"
)

// Upcoming is a time of a schedule and what would become of it.
type Upcoming struct {
	mishap.Tick
	Reason string `json:"reason,omitempty"` // why it would not run; empty if it would
}

// Scheduled is an experiment that has a schedule, and its next times.
type Scheduled struct {
	Experiment string          `json:"experiment"`
	Schedule   mishap.Schedule `json:"schedule"`
	Source     mishap.Source   `json:"source"`
	Now        string          `json:"now,omitempty"` // why it would not run now, whatever the time; empty if nothing stands against it
	Waiting    *mishap.Waiting `json:"waiting,omitempty"`
	Last       *NotStarted     `json:"last,omitempty"` // its latest run, if that did not start
	Next       []Upcoming      `json:"next"`
}

// NotStarted is a run that did not start.
type NotStarted struct {
	Run    string       `json:"run"`
	At     time.Time    `json:"at"`
	Cause  mishap.Cause `json:"cause"`
	Reason string       `json:"reason"`
}
