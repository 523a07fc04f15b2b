package keeper

import (
	"encoding/json"
	"errors"
	"io"
)

// Claim is what the lock of a thing says of its holder.
type Claim struct {
	Thing  string `json:"thing"`
	Run    string `json:"run"`
	PID    int    `json:"pid"`    // of the keeper, as it sees itself
	Server int    `json:"server"` // process id of the server, as the keeper sees it
	State  string `json:"state"`  // the state directory that they use
}

func (c Claim) text() []byte {
	text, _ := json.Marshal(c) // a struct of strings and numbers
	return append(text, '\n')
}

// living is a lock that another mishap has, and that is at work.
type living struct{ error }

// Unwrap gives what is wrong.
func (l living) Unwrap() error { return l.error }

// Living reports whether an error of [LockHost] is that a living mishap has it.
func Living(err error) bool { return errors.As(err, new(living)) }

// hostLocks is a thing's locks on this machine: one in the folder of this user,
// and one in that of the target's owner, who may change the target as well.
type hostLocks []io.Closer

// Close frees them.
func (h hostLocks) Close() error {
	for _, lock := range h {
		_ = lock.Close()
	}
	return nil
}
