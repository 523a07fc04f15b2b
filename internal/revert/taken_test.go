package revert_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"mishap"
	"mishap/internal/revert"
)

var errNone = errors.New("no answer")

// thing is an injector that only looks.
type thing struct {
	mishap.Injector
	err   error
	looks *int
}

func (f thing) Verify(context.Context, mishap.Injection) (mishap.Effect, error) {
	*f.looks++
	return mishap.Effect{}, f.err
}

// TestAVaultThatDoesNotAnswerHoldsUpNoRevertUnlessNothingElseAnswers asks about two
// that one call takes.
func TestAVaultThatDoesNotAnswerHoldsUpNoRevertUnlessNothingElseAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		first, later error // what the vault answers, at first and after the look
		look         error
		why          string // what it says later
		want         error
		looks        int
	}{
		"it answers":                    {want: nil},
		"it does not, nor does AWS":     {first: errNone, later: errNone, look: errors.New("network is down"), want: errors.New("network is down"), looks: 2},
		"it does not, and AWS does":     {first: errNone, later: errNone, looks: 1},
		"it does again once AWS does":   {first: errNone, why: "run2 has it", looks: 1},
		"it does again, and nobody has": {first: errNone, looks: 1},
	} {
		t.Run(name, func(t *testing.T) {
			looks := 0
			taken := revert.Taken(func(_ context.Context, _ mishap.Injection, since time.Time) (string, error) {
				if since.IsZero() {
					return "", test.first
				}
				return test.why, test.later
			})
			yields := taken.Yields(t.Context(), func(mishap.Injection) (mishap.Injector, error) { return thing{err: test.look, looks: &looks}, nil })
			for range 2 {
				why, err := yields(mishap.Injection{ID: "a"})
				if why != test.why || (err == nil) != (test.want == nil) || err != nil && err.Error() != test.want.Error() {
					t.Errorf("it yields for %q, %v; want %q, %v", why, err, test.why, test.want)
				}
			}
			if looks != test.looks {
				t.Errorf("%d looks, want %d", looks, test.looks)
			}
		})
	}
}
