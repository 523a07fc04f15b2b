package api

import (
	"errors"
	"testing"
	"time"

	"mishap"
)

func TestRetryAfterIsSecondsOrADate(t *testing.T) {
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"3": 3 * time.Second, "-1": 0, "": 0, "soon": 0, "999999999": mostPause,
		"Mon, 04 May 2026 12:00:07 GMT": 7 * time.Second, "Mon, 04 May 2026 11:00:00 GMT": 0,
	} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("Retry-After %q: %s, want %s", text, got, want)
		}
	}
}

func TestWhatWasSeenToBeOutIsNotStillIn(t *testing.T) {
	in := []mishap.Injection{{ID: "1"}}
	for _, c := range []struct {
		name string
		run  mishap.Run
		want bool
	}{
		{"nothing was seen", mishap.Run{}, true},
		{"it may inject by now", mishap.Run{Seq: 2, State: mishap.Checking, Plan: mishap.Plan{Injections: in}}, true},
		{"it has no fault", mishap.Run{Seq: 9, State: mishap.Holding, Plan: mishap.Plan{}}, false},
		{"all was reverted", mishap.Run{Seq: 9, State: mishap.Verifying, Plan: mishap.Plan{Injections: in}}, false},
	} {
		f := &following{run: &c.run}
		err := f.lost(mishap.Refusal(errors.New("no")))
		if errors.Is(err, mishap.ErrStillIn) != c.want || errors.Is(err, mishap.ErrRefused) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
