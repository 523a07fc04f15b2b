package ledger_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mishap"
	"mishap/internal/ledger"
)

type book = ledger.Ledger

// each runs a test of a guarantee on every ledger.
func each(t *testing.T, test func(t *testing.T, b book)) {
	t.Run("sqlite", func(t *testing.T) {
		l, err := ledger.Open(t.Context(), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		test(t, l)
	})
	t.Run("postgres", func(t *testing.T) {
		l := openPostgres(t, database(t), time.Minute)
		test(t, l)
	})
	t.Run("memory", func(t *testing.T) { test(t, ledger.NewMemory()) })
}

var epoch = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func start(run, experiment, group string) ledger.Start {
	plan := &mishap.Plan{Experiment: mishap.Experiment{Name: experiment, Group: group}}
	return ledger.Start{Server: "one", First: mishap.Entry{Run: run, Seq: 1, At: epoch, Planned: plan}}
}

func begin(t *testing.T, b book, run, experiment, group string) ledger.Lease {
	t.Helper()
	lease, err := b.Begin(t.Context(), start(run, experiment, group))
	if err != nil {
		t.Fatal(err)
	}
	return lease
}

func state(run string, seq int64, to mishap.State) mishap.Entry {
	return mishap.Entry{Run: run, Seq: seq, At: epoch.Add(time.Duration(seq) * time.Second), State: &mishap.StateChange{To: to}}
}

func prepared(run string, seq int64, keys ...mishap.Key) (mishap.Entry, mishap.Injection) {
	in := mishap.Injection{ID: run + ".1.1", Run: run, Fault: "f", Keys: keys, Undo: json.RawMessage(`{"was":"running"}`)}
	public := in
	public.Undo = nil
	return mishap.Entry{Run: run, Seq: seq, At: epoch, Injection: &mishap.InjectionChange{ID: in.ID, To: mishap.InjectionPrepared, Injection: &public}}, in
}

func moved(run string, seq int64, to mishap.InjectionState) mishap.Entry {
	return mishap.Entry{Run: run, Seq: seq, At: epoch, Injection: mishap.NewChange(run+".1.1", to, "")}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestUndoIsThereWhenPrepareReturns(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		lease := begin(t, b, "r1", "e", "g")
		e, in := prepared("r1", 2, mishap.Key{Thing: "process/1", Attribute: "state"})
		must(t, b.Prepare(t.Context(), lease, e, in))
		got, err := b.Injections(t.Context(), "r1")
		must(t, err)
		if diff := cmp.Diff([]mishap.Injection{in}, got); diff != "" {
			t.Error(diff)
		}
		entries, err := b.Entries(t.Context(), "r1")
		must(t, err)
		if len(entries) != 2 || entries[1].Injection.Injection.Undo != nil {
			t.Errorf("the journal has %d entries, and must not hold undo: %+v", len(entries), entries)
		}
	})
}

func TestAWriteWithAnOldFenceChangesNothing(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		old := begin(t, b, "r1", "e", "g")
		dies(t, b, "one")
		next, err := b.TakeOver(t.Context(), old, "two")
		must(t, err)
		e, in := prepared("r1", 2, mishap.Key{Thing: "k", Attribute: "a"})
		_, again := b.TakeOver(t.Context(), old, "three")
		for what, err := range map[string]error{
			"append": b.Append(t.Context(), old, state("r1", 2, mishap.Checking)), "prepare": b.Prepare(t.Context(), old, e, in), "take over": again,
		} {
			if !errors.Is(err, ledger.ErrFenced) {
				t.Errorf("%s with an old fence: %v", what, err)
			}
		}
		entries, err := b.Entries(t.Context(), "r1")
		must(t, err)
		if len(entries) != 1 {
			t.Errorf("the journal has %d entries", len(entries))
		}
		must(t, b.Append(t.Context(), next, state("r1", 2, mishap.Checking)))
	})
}

func TestOfManyTakeoversOneWins(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		old := begin(t, b, "r1", "e", "g")
		dies(t, b, "one")
		var wg sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for range 8 {
			wg.Go(func() {
				if _, err := b.TakeOver(t.Context(), old, "two"); err == nil {
					mu.Lock()
					won++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if won != 1 {
			t.Errorf("%d won", won)
		}
	})
}

func TestOneActiveRunPerExperimentAndPerGroup(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		lease := begin(t, b, "r1", "e", "g")
		for _, s := range []ledger.Start{start("r2", "e", "other"), start("r2", "other", "g")} {
			var busy *ledger.BusyError
			if _, err := b.Begin(t.Context(), s); !errors.As(err, &busy) || busy.Run != "r1" {
				t.Errorf("a second run: %v", err)
			}
		}
		must(t, b.Append(t.Context(), lease, state("r1", 2, mishap.Refused)))
		begin(t, b, "r2", "e", "g")
	})
}

// Whoever asked twice for one run is told so, whatever has become of it.
func TestARunBeginsOnce(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		lease := begin(t, b, "r1", "e", "g")
		for _, s := range []ledger.Start{start("r1", "e", "g"), start("r1", "other", "other")} {
			if _, err := b.Begin(t.Context(), s); !errors.Is(err, ledger.ErrKnownRun) {
				t.Errorf("a second time: %v", err)
			}
		}
		must(t, b.Append(t.Context(), lease, state("r1", 2, mishap.Refused)))
		if _, err := b.Begin(t.Context(), start("r1", "e", "g")); !errors.Is(err, ledger.ErrKnownRun) {
			t.Errorf("after its end: %v", err)
		}
		again := ledger.Refusal{First: start("r1", "e", "g").First, Why: state("r1", 2, mishap.Refused)}
		must(t, b.Refuse(t.Context(), "two", []ledger.Refusal{again}))
		if all, err := b.Runs(t.Context(), 10); err != nil || len(all) != 1 || all[0].Server != "one" {
			t.Errorf("%v %v", all, err)
		}
	})
}

func TestAStrandedRunKeepsItsLocksUntilItIsSettled(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		lease := begin(t, b, "r1", "e", "g")
		e, in := prepared("r1", 2, mishap.Key{Thing: "k", Attribute: "a"})
		must(t, b.Prepare(t.Context(), lease, e, in))
		must(t, b.Append(t.Context(), lease, moved("r1", 3, mishap.InjectionStranded), state("r1", 4, mishap.Stranded)))
		if _, err := b.Begin(t.Context(), start("r2", "e", "g")); err == nil {
			t.Error("a second run began")
		}
		other := begin(t, b, "r3", "e3", "g3")
		e3, in3 := prepared("r3", 2, mishap.Key{Thing: "k", Attribute: "b"})
		var taken *ledger.KeyError
		if err := b.Prepare(t.Context(), other, e3, in3); !errors.As(err, &taken) || taken.Run != "r1" {
			t.Errorf("a second injection on a stranded key: %v", err)
		}
		must(t, b.Append(t.Context(), lease, moved("r1", 5, mishap.InjectionSuperseded), state("r1", 6, mishap.Completed)))
		must(t, b.Prepare(t.Context(), other, e3, in3))
		begin(t, b, "r2", "e", "g")
	})
}

func TestAnInjectionThatEndedIsSettledAndKnownAsThat(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		lease := begin(t, b, "r1", "e", "g")
		e, in := prepared("r1", 2, mishap.Key{Thing: "k", Attribute: "a"})
		must(t, b.Prepare(t.Context(), lease, e, in))
		must(t, b.Append(t.Context(), lease, moved("r1", 3, mishap.InjectionReverting), moved("r1", 4, mishap.InjectionEnded)))
		if got, err := b.InjectionState(t.Context(), in.ID); err != nil || got != mishap.InjectionEnded {
			t.Errorf("it is %q (%v)", got, err)
		}
		counts, err := b.InjectionCounts(t.Context())
		if err != nil || counts[mishap.InjectionEnded] != 1 || counts[mishap.InjectionGone] != 0 {
			t.Errorf("counted are %v (%v)", counts, err)
		}
		again, same := prepared("r1", 5, mishap.Key{Thing: "k", Attribute: "a"})
		same.ID = "r1.2.1"
		again.Injection.ID, again.Injection.Injection.ID = same.ID, same.ID
		must(t, b.Prepare(t.Context(), lease, again, same)) // what it changed is free
	})
}

func TestAThingBelongsToARunUntilItIsOver(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		lease := begin(t, b, "r1", "e", "g")
		e, in := prepared("r1", 2, mishap.Key{Thing: "p", Attribute: "latency"})
		must(t, b.Prepare(t.Context(), lease, e, in))
		other := begin(t, b, "r2", "e2", "g2")
		refused := func(when string) {
			t.Helper()
			for _, attribute := range []string{"latency", "refuse", "arms"} {
				e2, in2 := prepared("r2", 2, mishap.Key{Thing: "p", Attribute: attribute})
				var taken *ledger.KeyError
				if err := b.Prepare(t.Context(), other, e2, in2); !errors.As(err, &taken) || taken.Run != "r1" || !errors.Is(err, mishap.ErrTaken) {
					t.Errorf("%s of r1's proxy by another run, %s: %v", attribute, when, err)
				}
			}
		}
		refused("while it is prepared")
		must(t, b.Append(t.Context(), lease, moved("r1", 3, mishap.InjectionInjecting), moved("r1", 4, mishap.InjectionReverting), moved("r1", 5, mishap.InjectionReverted)))
		refused("while r1 waits for recovery")
		must(t, b.Append(t.Context(), lease, state("r1", 6, mishap.Refused)))
		e2, in2 := prepared("r2", 2, mishap.Key{Thing: "p", Attribute: "latency"})
		must(t, b.Prepare(t.Context(), other, e2, in2))
	})
}

func TestFaultsOfOneRunShareAThingButNoAttribute(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		lease := begin(t, b, "r1", "e", "g")
		for i, attribute := range []string{"latency", "refuse", "latency"} {
			e, in := prepared("r1", int64(i+2), mishap.Key{Thing: "p", Attribute: attribute})
			in.ID = fmt.Sprintf("r1.%d.1", i+1)
			e.Injection.ID, e.Injection.Injection.ID = in.ID, in.ID
			err := b.Prepare(t.Context(), lease, e, in)
			if i < 2 {
				must(t, err)
			} else if !errors.Is(err, mishap.ErrTaken) || !strings.Contains(err.Error(), "another fault of run r1") {
				t.Errorf("the same attribute twice: %v", err)
			}
		}
	})
}

func TestUndoIsForgottenWhenTheRunHasEnded(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		lease := begin(t, b, "r1", "e", "g")
		e, in := prepared("r1", 2, mishap.Key{Thing: "k", Attribute: "a"})
		must(t, b.Prepare(t.Context(), lease, e, in))
		must(t, b.Append(t.Context(), lease, state("r1", 3, mishap.Completed)))
		got, err := b.Injections(t.Context(), "r1")
		must(t, err)
		if len(got) != 1 || got[0].Undo != nil {
			t.Errorf("injections: %+v", got)
		}
	})
}

func TestEntriesAreAppendedWithoutGapsAllOrNone(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		lease := begin(t, b, "r1", "e", "g")
		if err := b.Append(t.Context(), lease, state("r1", 2, mishap.Checking), state("r1", 4, mishap.Injecting)); err == nil {
			t.Error("a gap was taken")
		}
		if err := b.Append(t.Context(), lease, state("r1", 1, mishap.Checking)); err == nil {
			t.Error("an entry was written twice")
		}
		if err := b.Append(t.Context(), lease, state("r9", 2, mishap.Checking)); err == nil {
			t.Error("an entry of another run was taken")
		}
		entries, err := b.Entries(t.Context(), "r1")
		must(t, err)
		if len(entries) != 1 {
			t.Errorf("%d entries", len(entries))
		}
	})
}

func TestAListOfRunsSaysWhoBeganEach(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		asked := start("r1", "e", "g")
		asked.First.Trigger = &mishap.Trigger{Kind: mishap.TriggerAPI, By: `ann "a" <ann@example>`}
		_, err := b.Begin(t.Context(), asked)
		must(t, err)
		due := start("r2", "f", "h")
		due.First.Trigger = &mishap.Trigger{Kind: mishap.TriggerSchedule, Tick: &mishap.Tick{At: epoch}}
		_, err = b.Begin(t.Context(), due)
		must(t, err)
		begin(t, b, "r3", "i", "j")
		all, err := b.Runs(t.Context(), 10)
		must(t, err)
		by := map[string]string{}
		for _, r := range all {
			by[r.ID] = r.By
		}
		if by["r1"] != asked.First.Trigger.By || by["r2"] != "" || by["r3"] != "" || len(by) != 3 {
			t.Errorf("begun by %v", by)
		}
	})
}

func TestNothingBeginsWhileHalted(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		must(t, b.Halt(t.Context(), ledger.Halt{By: "ann", Reason: "incident", At: epoch}))
		must(t, b.Halt(t.Context(), ledger.Halt{By: "bob", At: epoch}))
		h, err := b.Halted(t.Context())
		must(t, err)
		if h == nil || h.By != "ann" || h.Reason != "incident" || !h.At.Equal(epoch) {
			t.Errorf("halt: %+v", h)
		}
		if _, err := b.Begin(t.Context(), start("r1", "e", "g")); !errors.Is(err, ledger.ErrHalted) || strings.Count(err.Error(), "halted") != 1 || !strings.Contains(err.Error(), "by ann") {
			t.Errorf("begin while halted: %v", err)
		}
		must(t, b.Resume(t.Context(), "ann", "it is over", epoch))
		if h, err := b.Halted(t.Context()); h != nil || err != nil {
			t.Errorf("after resume: %+v %v", h, err)
		}
		begin(t, b, "r1", "e", "g")
	})
}

func TestRunsAreFoundByTheirBeginning(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		for i, id := range []string{"abc1", "abd2", "xyz3"} {
			s := start(id, id, id)
			s.First.At = epoch.Add(time.Duration(i) * time.Minute)
			_, err := b.Begin(t.Context(), s)
			must(t, err)
		}
		for which, want := range map[string]string{"abc": "abc1", "x": "xyz3", "last": "xyz3", "abd2": "abd2", "ab": "", "q": "", "": ""} {
			got, err := b.Find(t.Context(), which)
			if got.ID != want || (err != nil) != (want == "") {
				t.Errorf("find %q: %q, %v", which, got.ID, err)
			}
		}
		latest, err := b.Runs(t.Context(), 2)
		must(t, err)
		if len(latest) != 2 || latest[0].ID != "xyz3" || latest[1].ID != "abd2" {
			t.Errorf("runs: %+v", latest)
		}
		active, err := b.Unfinished(t.Context())
		must(t, err)
		if len(active) != 3 || active[0].ID != "abc1" {
			t.Errorf("unfinished: %+v", active)
		}
	})
}

// However many runs of others came since.
func TestRunsOfAnExperimentAreFoundBehindThoseOfOthers(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		for i, experiment := range []string{"rare", "often", "other"} {
			s := start("r-"+experiment, experiment, experiment)
			s.First.At = epoch.Add(time.Duration(i) * time.Minute)
			_, err := b.Begin(t.Context(), s)
			must(t, err)
		}
		for _, experiment := range []string{"rare", "other"} {
			found, err := b.RunsOf(t.Context(), experiment, 1)
			must(t, err)
			if len(found) != 1 || found[0].ID != "r-"+experiment {
				t.Errorf("runs of %s: %+v", experiment, found)
			}
		}
		if found, err := b.RunsOf(t.Context(), "never", 2); err != nil || len(found) != 0 {
			t.Errorf("runs of none: %+v, %v", found, err)
		}
		for _, c := range []struct {
			before     time.Time
			experiment string
			limit      int
			want       string
		}{
			{epoch.Add(time.Hour), "", 2, "r-other r-often"}, {epoch.Add(time.Minute), "", 2, "r-rare"}, {epoch, "", 2, ""},
			{epoch.Add(time.Hour), "often", 2, "r-often"}, {epoch.Add(time.Minute), "often", 2, ""},
		} {
			found, err := b.RunsBefore(t.Context(), c.before, c.experiment, c.limit)
			must(t, err)
			var ids []string
			for _, r := range found {
				ids = append(ids, r.ID)
			}
			if got := strings.Join(ids, " "); got != c.want {
				t.Errorf("runs of %q before %s: %q, want %q", c.experiment, c.before, got, c.want)
			}
		}
	})
}

// The database may write an injection and be lost before it says so.
func TestARunGoesOnWhenTheAnswerToPrepareIsLost(t *testing.T) {
	for _, written := range []bool{true, false} {
		each(t, func(t *testing.T, b book) {
			lease := begin(t, b, "r1", "e", "g")
			must(t, b.Append(t.Context(), lease, state("r1", 2, mishap.Checking)))
			e, in := prepared("r1", 3, mishap.Key{Thing: "k", Attribute: "a"})
			if written {
				must(t, b.Prepare(t.Context(), lease, e, in))
			}
			must(t, b.Append(t.Context(), lease, e, state("r1", 4, mishap.Refused)))
			entries, err := b.Entries(t.Context(), "r1")
			must(t, err)
			if run, err := mishap.Replay(entries); err != nil || run.State != mishap.Refused {
				t.Errorf("the journal: %v", err)
			}
			e, in = prepared("r2", 2, mishap.Key{Thing: "k", Attribute: "a"}) // the key is free
			must(t, b.Prepare(t.Context(), begin(t, b, "r2", "e2", "g2"), e, in))
		})
	}
}

func TestALedgerSaysHowFarItKnowsAnInjectionToBe(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		lease := begin(t, b, "r1", "e", "g")
		e, in := prepared("r1", 2, mishap.Key{Thing: "aws/1", Attribute: "state"})
		for _, step := range []struct {
			do   func() error
			want mishap.InjectionState
		}{
			{func() error { return nil }, ""},
			{func() error { return b.Prepare(t.Context(), lease, e, in) }, mishap.InjectionPrepared},
			{func() error { return b.Append(t.Context(), lease, state("r1", 3, mishap.Refused)) }, mishap.InjectionPrepared},
		} {
			must(t, step.do())
			if got, err := b.InjectionState(t.Context(), in.ID); err != nil || got != step.want {
				t.Errorf("it is %q, %v, and not %q", got, err, step.want)
			}
		}
	})
}

func TestAThingIsHeldByItsRunUntilThatIsOver(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		lease := begin(t, b, "r1", "e", "g")
		e, in := prepared("r1", 2, mishap.Key{Thing: "aws/1", Attribute: "state"})
		must(t, b.Prepare(t.Context(), lease, e, in))
		if run, err := b.Holder(t.Context(), "aws/1"); err != nil || run != "r1" {
			t.Errorf("it belongs to %q, %v", run, err)
		}
		must(t, b.Append(t.Context(), lease, state("r1", 3, mishap.Refused)))
		if run, err := b.Holder(t.Context(), "aws/1"); err != nil || run != "" {
			t.Errorf("once its run is over it belongs to %q, %v", run, err)
		}
	})
}
