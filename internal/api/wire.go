package api

import (
	"time"

	"mishap"
	"mishap/internal/report"
)

// MostRuns is how many runs a list has at most.
const MostRuns = 1000

// ExperimentView is an experiment in force.
type ExperimentView struct {
	mishap.Experiment
	From      string `json:"from" doc:"name of its source"`
	Forbidden string `json:"forbidden,omitempty" doc:"why the server's settings do not allow it"`
}

// StartRequest asks for a run.
type StartRequest struct {
	Experiment string `json:"experiment" minLength:"1" maxLength:"200" doc:"name of an experiment in force"`
	NoFault    bool   `json:"noFault,omitempty" doc:"leave the faults out (A/A): shows how often the arms are told apart without one"`
}

// StartAnswer says what became of it.
type StartAnswer struct {
	Run   string `json:"run"`
	Again bool   `json:"again" doc:"whether the same was asked before, with the same key"`

	Ledger string `json:"ledger,omitempty" doc:"of a run that was asked to stop"`
	Server string `json:"server,omitempty" doc:"that has begun to revert it"`
}

// RunView is a run in a list.
type RunView struct {
	Run        string             `json:"run"`
	Experiment string             `json:"experiment"`
	Group      string             `json:"group"`
	State      mishap.State       `json:"state"`
	Verdict    mishap.Verdict     `json:"verdict"`
	Cause      mishap.Cause       `json:"cause"`
	Reason     string             `json:"reason"`
	Trigger    mishap.TriggerKind `json:"trigger"`
	By         string             `json:"by,omitempty" doc:"who began it, if that was a person"`
	Began      time.Time          `json:"began"`
	Ended      *time.Time         `json:"ended,omitempty"`
}

// Because gives a reason for an act.
type Because struct {
	Reason string `json:"reason" minLength:"1" maxLength:"1000" doc:"why, for the journal and the audit"`
}

// HaltView says whether everything is halted.
type HaltView struct {
	Halted bool      `json:"halted"`
	By     string    `json:"by,omitempty"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at,omitzero"`

	Ledger  string   `json:"ledger,omitempty" doc:"state directory, or address of the database without its password"`
	Stopped []string `json:"stopped,omitempty" doc:"runs that this halt told to stop"`
	Servers []string `json:"servers,omitempty" doc:"of the server's host, that have seen it"`
	Late    []string `json:"late,omitempty" doc:"what did not confirm within 10 s, or did not begin to revert"`
	Already bool     `json:"already,omitempty" doc:"this halt found one that there was, which stays"`
}

// SourceView is a source of experiments.
type SourceView struct {
	Name     string    `json:"name"`
	Commit   string    `json:"commit" doc:"in force; empty outside git"`
	Digest   string    `json:"digest"`
	Revision int64     `json:"revision"`
	Since    time.Time `json:"since"`
	Looked   time.Time `json:"looked"`
	Problem  string    `json:"problem" doc:"why what is there is not in force; empty if it is"`
	Reached  time.Time `json:"reached,omitzero" doc:"when it last answered"`
	Holds    string    `json:"holds,omitempty" doc:"why none of it runs; empty if it does"`
}

// Approvable is an experiment's plan as it is now, and what an approval of it
// must name.
type Approvable struct {
	Plan   mishap.Plan `json:"plan"`
	Digest string      `json:"digest" doc:"what an approval names: another file or other targets have another one"`
	Needed string      `json:"needed" doc:"why it needs an approval; empty if it does not"`

	Sheet   report.Sheet `json:"sheet" doc:"what mishap plan says of it, for a person"`
	Against []string     `json:"against,omitempty" doc:"what a run would be refused for now; absent if nothing stands against it"`
}

// ApproveRequest is somebody's yes to a plan.
type ApproveRequest struct {
	Experiment string `json:"experiment" minLength:"1" maxLength:"200" doc:"name of an experiment in force"`
	Digest     string `json:"digest" minLength:"1" maxLength:"100" doc:"of the plan that was looked at"`
	Reason     string `json:"reason" minLength:"1" maxLength:"1000" doc:"for the audit"`
}

// NotFound is an error that says what the server does not have.
type NotFound string

// Error says it.
func (e NotFound) Error() string { return string(e) }
