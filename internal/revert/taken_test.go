package revert_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
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
			synctest.Test(t, func(t *testing.T) {
				looks := 0
				taken := revert.Taken(func(context.Context, mishap.Injection, time.Time) (string, error) {
					if looks == 0 {
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
		})
	}
}

// Another run may begin between two attempts.
func TestEachAttemptAsksAnew(t *testing.T) {
	var asked []time.Time
	taken := revert.Taken(func(_ context.Context, _ mishap.Injection, since time.Time) (string, error) {
		asked = append(asked, since)
		return "", nil
	})
	began := time.Now()
	for range 2 {
		yields := taken.Yields(t.Context(), nil)
		for range 2 {
			if why, err := yields(mishap.Injection{ID: "a"}); why != "" || err != nil {
				t.Error(why, err)
			}
		}
	}
	if asked[0].Before(began) || !asked[1].Equal(asked[0]) || !asked[2].After(asked[1]) || !asked[3].Equal(asked[2]) {
		t.Errorf("it asked for what was read since %v", asked)
	}
}
