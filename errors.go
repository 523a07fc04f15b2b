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

// The classes of errors: what one means to whoever asked, and the exit code that
// follows from it.
const (
	// ErrInvalid is a file or setting that cannot be used.
	ErrInvalid class = "invalid"
	// ErrRefused is a run that may not be, found out before it began.
	ErrRefused class = "refused"
	// ErrStillIn is something that is or may be in the system.
	ErrStillIn class = "still in"
)

// class is a class of errors. It is in none of their texts.
type class string

// Error names the class.
func (c class) Error() string { return string(c) }

// classed is an error of a class.
type classed struct {
	error
	class class
}

// Unwrap returns the error, which may be of another class too.
func (c classed) Unwrap() error { return c.error }

// Is reports whether the target is the class of the error.
func (c classed) Is(target error) bool { return target == c.class }

// Invalid makes err one of [ErrInvalid].
func Invalid(err error) error { return classed{err, ErrInvalid} }

// Refusal makes err one of [ErrRefused].
func Refusal(err error) error { return classed{err, ErrRefused} }

// StillIn makes err one of [ErrStillIn].
func StillIn(err error) error { return classed{err, ErrStillIn} }

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

// HintOf is the next step that err has for a person; empty if it has none.
func HintOf(err error) string {
	var hinted *Hinted
	if errors.As(err, &hinted) {
		return hinted.Hint
	}
	return ""
}

// Advised is the text of err with its next step, for where there is but one line.
func Advised(err error) string {
	if hint := HintOf(err); hint != "" {
		return err.Error() + " (" + hint + ")"
	}
	return err.Error()
}

// Warning is something about a value that keeps nothing from running, but that
// somebody should know: it does not mean what many would take it for.
type Warning struct{ FieldError }

// Unwrap returns where it is and what to do.
func (w *Warning) Unwrap() error { return &w.FieldError }

// WithoutWarnings is what of joined errors keeps something from running.
func WithoutWarnings(err error) error {
	switch e := err.(type) {
	case *Warning:
		return nil
	case interface{ Unwrap() []error }:
		var all []error
		for _, one := range e.Unwrap() {
			all = append(all, WithoutWarnings(one))
		}
		return errors.Join(all...)
	}
	return err
}
