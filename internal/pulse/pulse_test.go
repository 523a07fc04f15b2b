package pulse_test

import (
	"testing"
	"testing/synctest"
	"time"

	"mishap/internal/pulse"
)

const limit = 2 * time.Second

func TestAProcessThatRunsDidNotStandStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pulse.New(limit)
		p.Start()
		defer p.Stop()
		began := time.Now()
		time.Sleep(time.Hour)
		if p.Stood(began) {
			t.Error("it is said to have stood still")
		}
	})
}

// A pulse that was not started beats as little as one of a process that is stopped.
func TestAFreezeIsKnownToWhoeverRunsFirstAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pulse.New(limit)
		before := time.Now()
		time.Sleep(limit + time.Second)
		if !p.Stood(before) || !p.Stood(before) {
			t.Error("nothing is known of the freeze")
		}
		if p.Stood(time.Now()) {
			t.Error("what was looked up after it is said to be old")
		}
	})
}

func TestNoPulseNeverStoodStill(t *testing.T) {
	if (*pulse.Pulse)(nil).Stood(time.Time{}) {
		t.Error("it did")
	}
}
