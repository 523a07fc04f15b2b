package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mishap"
	"mishap/internal/config"
	"mishap/internal/ledger"
	"mishap/internal/member"
	"mishap/internal/runner"
)

// withLost is an app whose ledger has a run r1 with a fault in a machine that is
// gone for good.
func withLost(t *testing.T) (*world, ledger.Ledger) {
	t.Helper()
	book := ledger.NewMemory()
	a := newWorld(config.Settings{State: t.TempDir()}, member.Options{Book: book})
	plan := &mishap.Plan{Experiment: mishap.Experiment{Name: "a", Group: "a"}, Host: "gone.example"}
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
	return a, book
}

// What is in a machine that is gone for good: nobody pretends to
// revert it from elsewhere, and a person can settle it.
func TestWhatIsInALostMachineIsSettledByAPerson(t *testing.T) {
	a, book := withLost(t)
	if mended, err := a.Mend(t.Context(), "", RunOptions{}); err != nil || mended != nil {
		t.Errorf("mended %v, %v", mended, err)
	}
	if _, err := a.Mend(t.Context(), "r1", RunOptions{}); !errors.Is(err, mishap.ErrStillIn) || !strings.Contains(err.Error(), "in machine gone.example itself") {
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

// keeping is the undo file of a run whose keeper works, until it is closed.
func keeping(t *testing.T, a *world, run string) *os.File {
	t.Helper()
	path := filepath.Join(a.Settings.State, "undo", run+".jsonl")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	working, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = working.Close() })
	if err := unix.Flock(int(working.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	return working
}

// closed is a ledger that lets nobody in.
type closed struct{ ledger.Ledger }

func (closed) Join(context.Context, func(error)) (string, func() error, error) {
	return "", nil, errors.New("there is a file in place of the folder of servers")
}

// Exit code 1 would say that the ledger is to be seen to, and that no fault may be in.
func TestARunThatCannotBeTakenOverIsSaidToBeStillIn(t *testing.T) {
	a, book := withLost(t)
	a = newWorld(a.Settings, member.Options{Book: closed{book}})
	orphans, err := a.Orphans(t.Context())
	if err != nil || len(orphans) != 1 {
		t.Fatalf("%v, %v", orphans, err)
	}
	if _, err := a.mendAll(t.Context(), orphans, RunOptions{}); !errors.Is(err, mishap.ErrStillIn) || !strings.Contains(err.Error(), "run r1, of which nothing is reverted yet: there is a file") {
		t.Errorf("it says %v", err)
	}
}

// Who takes a run over waits for a keeper that still reverts, for minutes if a
// target does not answer. A person who presses Ctrl-C does not.
func TestAStopEndsTheWaitForAKeeper(t *testing.T) {
	a, book := withLost(t)
	a.Settings.RevertWithin = mishap.Duration(time.Hour)
	keeping(t, a, "r1")
	orphans, err := a.Orphans(t.Context())
	if err != nil || len(orphans) != 1 {
		t.Fatalf("%v, %v", orphans, err)
	}
	stops := make(chan runner.Stop, 1)
	stops <- runner.Stop{Cause: mishap.CauseInterrupt, Reason: "interrupted by Ctrl-C"}
	if _, err := a.mendAll(t.Context(), orphans, RunOptions{Stops: stops}); !errors.Is(err, mishap.ErrStillIn) || !strings.Contains(err.Error(), "keeper of run r1 still reverts: interrupted by Ctrl-C") {
		t.Errorf("it says %v", err)
	}
	if active, _ := book.Unfinished(t.Context()); len(active) != 1 || active[0].Server != "dead" {
		t.Error("the run was taken from its keeper")
	}
}

// Whoever waits is told at once for whom, and for how long at most.
func TestWhoeverTakesARunOverIsToldOnceWhatItWaitsFor(t *testing.T) {
	a, _ := withLost(t)
	a.Settings.RevertWithin = mishap.Duration(30 * time.Minute)
	working := keeping(t, a, "r1")
	orphans, err := a.Orphans(t.Context())
	if err != nil || len(orphans) != 1 {
		t.Fatalf("%v, %v", orphans, err)
	}
	var told []Waiting
	ctx, leave := context.WithCancelCause(t.Context())
	_, _ = a.TakeOver(ctx, orphans[0], RunOptions{Waits: func(w Waiting) {
		if told = append(told, w); w.Keeper {
			time.AfterFunc(200*time.Millisecond, func() { _ = working.Close() }) // after several looks the keeper is done
		} else {
			leave(runner.ErrLeave)
		}
	}})
	if len(told) != 2 {
		t.Fatalf("told %v", told)
	}
	keeper, revert := told[0].String(), told[1].String()
	if runtime.GOOS == "linux" && told[0].PID != os.Getpid() || !strings.HasPrefix(keeper, "waiting for the keeper of run r1") || !strings.Contains(keeper, "still reverts, for up to 31m") {
		t.Errorf("of the keeper it says %q", keeper)
	}
	if revert != "reverting run r1 first, for up to 30m" {
		t.Errorf("of the revert it says %q", revert)
	}
}

// A keeper that still reverts would do so behind the back of the person who said
// what became of the fault.
func TestNobodySettlesWhatAKeeperStillReverts(t *testing.T) {
	a, book := withLost(t)
	working := keeping(t, a, "r1")
	path := working.Name()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := a.Settle(ctx, "r1", "ann", "scrapped"); err == nil {
		t.Error("settled")
	}
	if active, _ := book.Unfinished(t.Context()); len(active) != 1 {
		t.Fatal("the run was settled while its keeper reverted it")
	}
	if err := working.Close(); err != nil { // the keeper is done
		t.Fatal(err)
	}
	if run, err := a.Settle(t.Context(), "r1", "ann", "scrapped"); err != nil || run.State != mishap.Completed {
		t.Errorf("%v, %v", run, err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the undo file is left")
	}
}

// Who settles a run answers for what the ledger says is stranded. What its undo
// file holds beside that, a ledger of an hour ago has forgotten.
func TestSettlingARunForgetsNothingThatTheLedgerHasForgotten(t *testing.T) {
	a, _ := withLost(t)
	path := filepath.Join(a.Settings.State, "undo", "r1.jsonl")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	const other = `{"at":"2026-01-02T03:04:05Z","hold":{"id":"r1.2","run":"r1","fault":"other","injector":"no-longer-there","target":{"id":"8"}}}
{"at":"2026-01-02T03:04:05Z","id":"r1.2","to":"injected"}
`
	if err := os.WriteFile(path, []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	run, err := a.Settle(t.Context(), "r1", "ann", "scrapped")
	if run == nil || run.State != mishap.Completed || !errors.Is(err, mishap.ErrStillIn) || !strings.Contains(err.Error(), "revert other on") {
		t.Errorf("%v, %v", run, err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("what undoes the other is gone: %v", err)
	}
	if file, err := a.SettleUndo(t.Context(), "r1", "ann", "scrapped too"); !file || err != nil {
		t.Errorf("it cannot be settled: %v, %v", file, err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("it is still tried again")
	}
}
