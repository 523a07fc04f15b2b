// Package keeper is the process that injects, holds and reverts the faults of
// one run on this machine, and outlives its server.
//
// A server starts one keeper per run, in a session of its own, and talks to it
// over two pipes, one JSON message per line. The keeper is the only process that
// injects here, one call after another, and calls on one injection are made one
// after another, so that no late call of a dying server can inject behind a
// revert's back. A revert waits for no other injection. Undo is in a file, synced,
// before anything is injected; a revert needs no disk. The keeper reverts, newest
// first as long as that is quick, when its server
//
//   - is dead: the pipe ends, at once;
//   - is silent for [Silence];
//   - has not reverted an injection [Silence] after its time, which counts from
//     when the last injection of its fault is in.
//
// What an API shows may be of before the fault. A revert counts, and undo is given
// up, only after a look that cannot be: see [revert.Settling].
//
// What is in a cloud others may sweep once the server could not say for a while that
// it lives. A server tells with its beats how long they may not; after that a keeper
// asks before it reverts, since what it finds in force may be another run's.
//
// It also holds the resource keys of its injections for the whole machine, so
// that a run with another ledger cannot change the same thing.
//
// What it did is in the undo file, for whoever comes next: [ReadUndo].
package keeper

import (
	"time"

	"mishap"
)

// Silence is how long server and keeper wait for each other's beat.
const Silence = 5 * time.Second

const (
	beatEvery  = time.Second
	vouchEvery = 500 * time.Millisecond // while everything is reverted
)

// Operations of a request.
const (
	opHold   = "hold"
	opInject = "inject"
	opRevert = "revert"
	opBeat   = "beat"
	opBye    = "bye"
)

// request is one line from server to keeper.
type request struct {
	N         int64             `json:"n,omitempty"` // the answer bears it; beats have none
	Op        string            `json:"op"`
	IDs       []string          `json:"ids,omitempty"` // of injections that one call takes
	Injection *mishap.Injection `json:"injection,omitempty"`
	// Held is until when nobody else may sweep the run, by this machine's clock.
	Held time.Time `json:"held,omitzero"`
}

// answer is one line from keeper to server; N is 0 for a beat.
type answer struct {
	N       int64   `json:"n"`
	Error   string  `json:"error,omitempty"`
	Taken   bool    `json:"taken,omitempty"`   // the error is a [mishap.ErrTaken]
	Replies []reply `json:"replies,omitempty"` // for each of the ids
}

// reply is what a call answers for one injection.
type reply struct {
	Error    string          `json:"error,omitempty"`
	Reverted mishap.Reverted `json:"reverted,omitzero"`
}
