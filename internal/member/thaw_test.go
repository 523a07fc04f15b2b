package member

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/internal/ledger"
	"mishap/internal/pulse"
)

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
				book := ledger.NewMemory()
				m := New(Options{Book: book, Pulse: pulse.New(2 * time.Second)}) // which does not beat
				first := mishap.Entry{Run: "r", Seq: 1, At: time.Now(), Planned: &mishap.Plan{Experiment: mishap.Experiment{Name: "a", Group: "a"}}}
				lease, err := book.Begin(t.Context(), ledger.Start{Server: "one", First: first})
				if err != nil {
					t.Fatal(err)
				}
				confirm := m.Confirming(book, lease, first.At)
				if err := confirm(t.Context()); err != nil {
					t.Error("before it stood still:", err)
				}
				if err := c.meanwhile(book, lease); err != nil {
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
