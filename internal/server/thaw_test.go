package server

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/internal/catalog"
	"mishap/internal/ledger"
	"mishap/internal/member"
	"mishap/internal/pulse"
	"mishap/internal/runner"
)

// standstill is a safeguard during whose first answer the process stands still.
type standstill struct {
	*pulse.Pulse
	long time.Duration
	over bool
}

// Check is yes.
func (s *standstill) Check(context.Context, mishap.Situation) error {
	if !s.over {
		s.over = true
		s.Stop()
		time.Sleep(s.long)
		s.Start()
	}
	return nil
}

// A time that was due before a freeze is looked at again after it: it was missed.
func TestAThawedServerStartsNothingByWhatItKnewBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hourly := minutely("a", func(e *mishap.Experiment) { e.Schedule.Cron = "0 * * * *" })
		beats := pulse.New(2 * time.Second)
		beats.Start()
		defer beats.Stop()
		b := newBenchOn(t, member.Options{Book: ledger.NewMemory(), Pulse: beats}, hourly)
		still := &standstill{Pulse: beats, long: 30 * time.Minute}
		b.rules().Freezes = catalog.NewFreezes(runner.Guard{Name: "freeze", Safeguard: still})
		b.serve(100 * time.Minute)
		if !still.over {
			t.Fatal("it was never asked")
		}
		if got := b.story(); !strings.HasPrefix(got, "01:00 missed") {
			t.Errorf("what became of its times: %s", got)
		}
	})
}
