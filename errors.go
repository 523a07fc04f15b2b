package mishap

import "errors"

// Errors that callers branch on.
var (
	// ErrNoTarget is a selection that found nothing: an error, not a success.
	ErrNoTarget = errors.New("no target")
	// ErrTaken is something that another injection already changes.
	ErrTaken = errors.New("something else changes it already")
	// ErrPlace is a target outside of what the settings allow.
	ErrPlace = errors.New("place is not allowed")
)

// Hinted is an error with a next step for a person, printed on its own line.
type Hinted struct {
	Err  error
	Hint string
}

// Error returns the error without the hint.
func (h *Hinted) Error() string { return h.Err.Error() }

// Unwrap returns the error without the hint.
func (h *Hinted) Unwrap() error { return h.Err }

// WithHint adds a next step to err.
func WithHint(err error, hint string) error { return &Hinted{Err: err, Hint: hint} }

// Warning is something about a value that keeps nothing from running, but that
// somebody should know: it does not mean what many would take it for.
type Warning struct{ FieldError }

// Unwrap returns where it is and what to do.
func (w *Warning) Unwrap() error { return &w.FieldError }
