package control

import (
	"mishap/internal/proxy/fault"
	"time"
)

// controlTimeout bounds a call, on both sides.
const controlTimeout = 10 * time.Second

// renewal is the body of a renew call.
type renewal struct {
	Expires fault.Duration `json:"expires"`
}

// failure is the body of every answer that is not a success.
type failure struct {
	Error string `json:"error"`
	Hint  string `json:"hint,omitempty"`
}

// wireOwner is the body of a call that takes a proxy for a run, or keeps it.
type wireOwner struct {
	Run     string         `json:"run"`
	Expires fault.Duration `json:"expires"`
	Renew   bool           `json:"renew,omitempty"`
}
