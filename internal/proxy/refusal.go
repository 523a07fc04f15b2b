package proxy

import (
	"errors"
	"fmt"
	"net/http"
)

// refusal is an error for a caller of the control API.
type refusal struct {
	status int // of HTTP
	err    error
	hint   string
}

func (e *refusal) Error() string { return e.err.Error() }

func refuse(status int, hint, format string, args ...any) error {
	return &refusal{status, fmt.Errorf(format, args...), hint}
}

// asRefusal gives any error a status.
func asRefusal(err error) *refusal {
	var r *refusal
	if errors.As(err, &r) {
		return r
	}
	return &refusal{http.StatusBadRequest, err, ""}
}
