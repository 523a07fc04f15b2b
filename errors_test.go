package mishap_test

import (
	"errors"
	"fmt"
	"testing"

	"mishap"
)

func TestAnErrorIsOfEachClassThatItWasGivenAndItsTextOfNone(t *testing.T) {
	cause := errors.New("no pong")
	err := fmt.Errorf("revert: %w", errors.Join(mishap.StillIn(mishap.Refusal(cause))))
	if err.Error() != "revert: no pong" {
		t.Errorf("it reads %q", err)
	}
	for class, want := range map[error]bool{mishap.ErrStillIn: true, mishap.ErrRefused: true, mishap.ErrInvalid: false, cause: true} {
		if errors.Is(err, class) != want {
			t.Errorf("it is %q: %v, want %v", class, !want, want)
		}
	}
}
