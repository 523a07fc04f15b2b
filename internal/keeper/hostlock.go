package keeper

import (
	"encoding/json"
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
