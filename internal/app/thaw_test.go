package app

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/internal/ledger"
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
		b := newBench(t, hourly)
		b.pulse = pulse.New(2 * time.Second)
		b.pulse.Start()
		defer b.pulse.Stop()
		still := &standstill{Pulse: b.pulse, long: 30 * time.Minute}
		b.rules.freezes.guards = []runner.Guard{{Name: "freeze", Safeguard: still}}
		b.serve(100 * time.Minute)
		if !still.over {
			t.Fatal("it was never asked")
		}
		if got := b.story(); !strings.HasPrefix(got, "01:00 missed") {
			t.Errorf("what became of its times: %s", got)
		}
	})
}

// Before it injects, a run that stood still reads anew whether it still may.
func TestAThawedRunInjectsOnlyWhatTheLedgerStillAllows(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile func(ledger.Ledger, ledger.Lease) error
		says      string
	}{
		"nothing happened": {func(ledger.Ledger, ledger.Lease) error { return nil }, ""},
		"it was halted": {func(book ledger.Ledger, _ ledger.Lease) error {
			return book.Halt(t.Context(), ledger.Halt{By: "ann", Reason: "incident", At: time.Now()})
		}, "halted by ann"},
		"another server has it": {func(book ledger.Ledger, lease ledger.Lease) error {
			_, err := book.TakeOver(t.Context(), lease, "two")
			return err
		}, ledger.ErrFenced.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, minutely("a"))
				b.pulse = pulse.New(2 * time.Second) // which does not beat
				first := mishap.Entry{Run: "r", Seq: 1, At: time.Now(), Planned: &mishap.Plan{Experiment: minutely("a")}}
				lease, err := b.book.Begin(t.Context(), ledger.Start{Server: "one", First: first})
				if err != nil {
					t.Fatal(err)
				}
				confirm := b.confirming(b.book, lease, first.At)
				if err := confirm(t.Context()); err != nil {
					t.Error("before it stood still:", err)
				}
				if err := c.meanwhile(b.book, lease); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				err = confirm(t.Context())
				if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
					t.Errorf("after it stood still: %v", err)
				}
			})
		})
	}
}
