package fault

import (
	"errors"
	"fmt"
	"net/http"
)

// Refusal is an error for a caller of the control API.
type Refusal struct {
	Status int // of HTTP
	err    error
	Hint   string
}

func (e *Refusal) Error() string { return e.err.Error() }

// Refused makes a refusal.
func Refused(status int, hint, format string, args ...any) error {
	return &Refusal{status, fmt.Errorf(format, args...), hint}
}

// AsRefusal gives any error a status.
func AsRefusal(err error) *Refusal {
	var r *Refusal
	if errors.As(err, &r) {
		return r
	}
	return &Refusal{http.StatusBadRequest, err, ""}
}
