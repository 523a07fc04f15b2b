package engine

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"mishap"
	"mishap/internal/config"
	"mishap/internal/ledger"
	"mishap/internal/member"
)

// full is a ledger that can be read, and takes no run that did not start.
type full struct{ ledger.Ledger }

var errFull = errors.New("no space is left")

func (full) Refuse(context.Context, string, []ledger.Refusal) error { return errFull }

// What may not begin is recorded; where that is not possible it is said, and it does not
// begin either.
func TestWhatMayNotBeginIsRecordedAndNeverBegins(t *testing.T) {
	for name, c := range map[string]struct {
		book func(ledger.Ledger) ledger.Ledger
		says error
		has  int
	}{
		"recorded":  {func(b ledger.Ledger) ledger.Ledger { return b }, nil, 1},
		"no record": {func(b ledger.Ledger) ledger.Ledger { return full{b} }, errFull, 0},
	} {
		t.Run(name, func(t *testing.T) {
			book := ledger.NewMemory()
			if err := book.Halt(t.Context(), ledger.Halt{By: "ann", Reason: "incident", At: time.Now()}); err != nil {
				t.Fatal(err)
			}
			w := newWorld(config.Settings{State: t.TempDir()}, member.Options{Book: c.book(book)})
			var seen []mishap.State
			run, err := w.RunPinned(t.Context(), mishap.Plan{Experiment: mishap.Experiment{Name: "a", Group: "a"}}, RunOptions{
				Seen: func(_ mishap.Entry, r *mishap.Run) { seen = append(seen, r.State) },
			})
			if run == nil || run.State != mishap.Refused || run.Cause != mishap.CauseHalt || !errors.Is(err, c.says) || slices.Contains(seen, mishap.Injecting) {
				t.Fatalf("run %+v, %v, seen %v", run, err, seen)
			}
			all, err := book.Runs(t.Context(), 10)
			if err != nil || len(all) != c.has {
				t.Fatalf("the ledger has %+v, %v", all, err)
			}
			for _, r := range all {
				if r.ID != run.ID || r.State != mishap.Refused || r.Active() {
					t.Errorf("recorded is %+v, not run %s", r, run.ID)
				}
			}
		})
	}
}
