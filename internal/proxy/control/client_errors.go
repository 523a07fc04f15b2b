package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"syscall"
)

// Errors that callers branch on; use errors.Is.
var (
	ErrNotRunning = errors.New("the proxy is not running")           // so it has no faults either
	ErrNotFound   = errors.New("not found")                          // the proxy does not know the fault
	ErrEnded      = errors.New("the fault is over")                  // it was removed, or it has expired
	ErrOwned      = errors.New("the proxy is taken")                 // it belongs to another run, or has a fault of somebody else
	ErrOlder      = errors.New("the proxy is of an earlier version") // it does not know what it is asked for
)

// unreached says what to do when no proxy answers.
func (c *Client) unreached(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w: nothing answers on %s; start it with: mishap proxy --config mishap.yaml", ErrNotRunning,
			c.path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("control socket %s belongs to another user: run as the user of the proxy: %w", c.path, err)
	default:
		return fmt.Errorf("call proxy on %s: %w", c.path, err)
	}
}

// occupied is an answer that something else is in the way.
type occupied struct{ text string }

func (o *occupied) Error() string { return o.text }

// Is makes it an ErrOwned to whoever asks for a proxy.
func (o *occupied) Is(target error) bool { return target == ErrOwned }

// failed turns an answer that is not a success into an error.
func failed(code int, data []byte) error {
	var f failure
	if err := json.Unmarshal(data, &f); err != nil || f.Error == "" {
		return fmt.Errorf("the proxy answered %d without a reason", code)
	}
	if f.Hint != "" {
		f.Error += " (" + f.Hint + ")"
	}
	switch code {
	case http.StatusNotFound:
		return fmt.Errorf("%w: %s", ErrNotFound, f.Error)
	case http.StatusGone:
		return fmt.Errorf("%w: %s", ErrEnded, f.Error)
	case http.StatusConflict:
		return &occupied{f.Error}
	default:
		return errors.New(f.Error)
	}
}
