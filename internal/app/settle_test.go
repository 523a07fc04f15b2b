package app

import (
	"strings"
	"testing"
	"time"

	"mishap"
	"mishap/internal/config"
	"mishap/internal/ledger"
)

// A run with a fault in a machine that is gone for good: nobody pretends to
// revert it from elsewhere, and a person can settle it.
func TestWhatIsInALostMachineIsSettledByAPerson(t *testing.T) {
	book := ledger.NewMemory()
	a := &App{book: book, Settings: config.Settings{State: t.TempDir()}}
	plan := &mishap.Plan{Experiment: minutely("a"), Host: "gone.example"}
	lease, err := book.Begin(t.Context(), ledger.Start{Server: "dead", First: mishap.Entry{Run: "r1", Seq: 1, At: time.Now(), Planned: plan}})
	if err != nil {
		t.Fatal(err)
	}
	seq := int64(1)
	write := func(e mishap.Entry) {
		t.Helper()
		seq++
		e.Run, e.Seq, e.At = "r1", seq, time.Now()
		if err := book.Append(t.Context(), lease, e); err != nil {
			t.Fatal(err)
		}
	}
	in := mishap.Injection{ID: "r1.1", Run: "r1", Fault: "f", Target: mishap.Target{ID: "7", Kind: "process"}}
	write(mishap.Entry{State: &mishap.StateChange{To: mishap.Checking}})
	write(mishap.Entry{Injection: &mishap.InjectionChange{ID: in.ID, To: mishap.InjectionPrepared, Injection: &in}})
	write(mishap.Entry{State: &mishap.StateChange{To: mishap.Injecting}})
	write(mishap.Entry{Injection: &mishap.InjectionChange{ID: in.ID, To: mishap.InjectionInjecting}})
	write(mishap.Entry{Injection: &mishap.InjectionChange{ID: in.ID, To: mishap.InjectionInjected}})

	if mended, err := a.Mend(t.Context(), "", RunOptions{}); err != nil || mended != nil {
		t.Errorf("mended %v, %v", mended, err)
	}
	if _, err := a.Mend(t.Context(), "r1", RunOptions{}); !StillIn(err) || !strings.Contains(err.Error(), "in machine gone.example itself") {
		t.Errorf("revert says %v", err)
	}
	if lines, err := a.Leftovers(t.Context()); err != nil || len(lines) != 1 || !strings.Contains(lines[0], "with machine gone.example") {
		t.Errorf("leftovers: %v, %v", lines, err)
	}
	run, err := a.Settle(t.Context(), "r1", "ann", "scrapped")
	if err != nil {
		t.Fatal(err)
	}
	if verdict, why := mishap.Judge(run); run.State != mishap.Completed || verdict != mishap.Inconclusive || !strings.Contains(why, "settled by ann: scrapped") {
		t.Errorf("%s, %s: %s", run.State, verdict, why)
	}
	if active, _ := book.Unfinished(t.Context()); len(active) != 0 {
		t.Error("its group stays busy")
	}
}
