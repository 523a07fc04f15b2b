package ledger_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mishap"
	"mishap/internal/ledger"
)

func tick(minute int) mishap.Tick {
	at := epoch.Add(time.Duration(minute) * time.Minute)
	return mishap.Tick{At: at, Due: at.Add(7 * time.Second)}
}

func schedule(experiment, spec string, minute int) ledger.Schedule {
	return ledger.Schedule{Experiment: experiment, Spec: spec, Tick: tick(minute), Advanced: epoch}
}

// onSchedule is the start of a run that a schedule asks for.
func onSchedule(run, experiment string, minute int) ledger.Start {
	s := start(run, experiment, experiment)
	at, next := tick(minute), tick(minute+1)
	s.First.Trigger = &mishap.Trigger{Kind: mishap.TriggerSchedule, Tick: &at}
	s.Advance = &ledger.Advance{Experiment: experiment, From: at.At, Next: &next, Now: epoch}
	return s
}

func refusal(s ledger.Start, cause mishap.Cause) ledger.Refusal {
	why := state(s.First.Run, 2, mishap.Refused)
	why.State.Cause, why.State.Reason = cause, "because"
	return ledger.Refusal{First: s.First, Why: why, Advance: s.Advance}
}

func wantTick(t *testing.T, b book, experiment string, minute int) {
	t.Helper()
	all, err := b.Schedules(t.Context())
	must(t, err)
	for _, s := range all {
		if s.Experiment == experiment {
			if !s.Tick.At.Equal(tick(minute).At) || !s.Tick.Due.Equal(tick(minute).Due) {
				t.Errorf("%s is due at %v, want minute %d", experiment, s.Tick, minute)
			}
			return
		}
	}
	t.Errorf("there is no schedule of %s", experiment)
}

func TestAScheduleMovesOnWithItsRun(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		must(t, b.SetSchedules(t.Context(), "s", []ledger.Schedule{schedule("a", "1", 0)}))
		_, err := b.Begin(t.Context(), onSchedule("r1", "a", 0))
		must(t, err)
		wantTick(t, b, "a", 1)
		record, err := b.Find(t.Context(), "r1")
		must(t, err)
		if record.Kind != mishap.TriggerSchedule || !record.Tick.Equal(tick(0).At) {
			t.Errorf("the run does not say what began it: %+v", record)
		}
	})
}

func TestAScheduleMovesOnWhenItsRunIsRefused(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		must(t, b.SetSchedules(t.Context(), "s", []ledger.Schedule{schedule("a", "1", 0), schedule("b", "1", 0)}))
		must(t, b.Refuse(t.Context(), "one", []ledger.Refusal{
			refusal(onSchedule("r1", "a", 0), mishap.CauseLimit), refusal(onSchedule("r2", "b", 0), mishap.CauseImpact),
		}))
		wantTick(t, b, "a", 1)
		record, err := b.Find(t.Context(), "r2")
		must(t, err)
		if record.Active() || record.State != mishap.Refused || record.Cause != mishap.CauseImpact || record.Reason != "because" {
			t.Errorf("recorded as %+v", record)
		}
		entries, err := b.Entries(t.Context(), "r1")
		must(t, err)
		if run, err := mishap.Replay(entries); err != nil || run.State != mishap.Refused || run.Trigger.Tick == nil {
			t.Errorf("the journal says %+v, %v", run, err)
		}
	})
}

func TestARefusalIsRecordedWhileTheGroupIsBusy(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		begin(t, b, "r1", "a", "a")
		must(t, b.SetSchedules(t.Context(), "s", []ledger.Schedule{schedule("a", "1", 0)}))
		must(t, b.Refuse(t.Context(), "one", []ledger.Refusal{refusal(onSchedule("r2", "a", 0), mishap.CauseBusy)}))
		if r, err := b.Find(t.Context(), "r2"); err != nil || r.Active() {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func TestARunThatMayNotBeginLeavesItsScheduleAlone(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		must(t, b.SetSchedules(t.Context(), "s", []ledger.Schedule{schedule("a", "1", 0)}))
		denied := onSchedule("r1", "a", 0)
		denied.Admit = func(mishap.Facts) error { return &mishap.Denial{Cause: mishap.CauseLimit, Reason: "too much"} }
		_, err := b.Begin(t.Context(), denied)
		var denial *mishap.Denial
		if !errors.As(err, &denial) {
			t.Fatalf("got %v", err)
		}
		wantTick(t, b, "a", 0)
		if _, err := b.Find(t.Context(), "r1"); err == nil {
			t.Error("a denied run is in the ledger")
		}
	})
}

func TestNoTimeOfAScheduleIsDealtWithTwice(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		must(t, b.SetSchedules(t.Context(), "s", []ledger.Schedule{schedule("a", "1", 0)}))
		var began, lost atomic.Int32
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				_, err := b.Begin(t.Context(), onSchedule(fmt.Sprintf("r%d", i), "a", 0))
				switch {
				case err == nil:
					began.Add(1)
				case errors.Is(err, ledger.ErrTickTaken):
					lost.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if began.Load() != 1 || lost.Load() != 7 {
			t.Errorf("%d began, %d lost", began.Load(), lost.Load())
		}
		// Also not after the clock went back and the schedule began anew.
		must(t, b.SetSchedules(t.Context(), "s", nil))
		must(t, b.SetSchedules(t.Context(), "s", []ledger.Schedule{schedule("a", "1", 0)}))
		if _, err := b.Begin(t.Context(), onSchedule("r9", "a", 0)); !errors.Is(err, ledger.ErrTickTaken) {
			t.Errorf("begun a second time: %v", err)
		}
		must(t, b.Refuse(t.Context(), "one", []ledger.Refusal{refusal(onSchedule("r9", "a", 0), mishap.CauseBusy)}))
		wantTick(t, b, "a", 1)
		if _, err := b.Find(t.Context(), "r9"); err == nil {
			t.Error("the same time has two runs")
		}
	})
}

func TestAnUnchangedScheduleKeepsItsTime(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		must(t, b.SetSchedules(t.Context(), "s", []ledger.Schedule{schedule("kept", "1", 0), schedule("changed", "1", 0), schedule("gone", "1", 0)}))
		must(t, b.SetSchedules(t.Context(), "s", []ledger.Schedule{schedule("kept", "1", 5), schedule("changed", "2", 5), schedule("new", "1", 5)}))
		wantTick(t, b, "kept", 0)
		wantTick(t, b, "changed", 5)
		wantTick(t, b, "new", 5)
		must(t, b.SetSchedules(t.Context(), "other", []ledger.Schedule{schedule("theirs", "1", 0)}))
		must(t, b.SetSchedules(t.Context(), "other", nil))
		if all, _ := b.Schedules(t.Context()); len(all) != 3 {
			t.Errorf("%d schedules are left", len(all))
		}
	})
}

func TestDueSchedulesComeLongestFirst(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		if next, err := b.NextDue(t.Context(), time.Time{}); err != nil || !next.IsZero() {
			t.Errorf("an empty ledger has %v due, %v", next, err)
		}
		must(t, b.SetSchedules(t.Context(), "s", []ledger.Schedule{schedule("a", "1", 2), schedule("b", "1", 0), schedule("c", "1", 1)}))
		names := func(at time.Time, limit int) (all []string) {
			due, err := b.Due(t.Context(), at, limit, anybodys)
			must(t, err)
			for _, s := range due {
				all = append(all, s.Experiment)
			}
			return all
		}
		if diff := cmp.Diff([]string{"b", "c"}, names(tick(1).Due, 10)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"b"}, names(tick(9).Due, 1)); diff != "" {
			t.Error(diff)
		}
		must(t, b.Postpone(t.Context(), []ledger.Turn{turn("b", 0, tick(5).At)}))
		if diff := cmp.Diff([]string{"c"}, names(tick(1).Due, 10)); diff != "" {
			t.Error(diff)
		}
		if next, _ := b.NextDue(t.Context(), time.Time{}); !next.Equal(tick(1).Due) {
			t.Errorf("the next is %s", next)
		}
		if next, _ := b.NextDue(t.Context(), tick(1).Due); !next.Equal(tick(2).Due) {
			t.Errorf("the next after that is %s", next)
		}
	})
}

func TestWhatSeveralCouldAnnounceOneDoes(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		for i, want := range []bool{true, false, true} {
			what := []string{"a", "a", "b"}[i]
			if first, err := b.First(t.Context(), what, epoch); err != nil || first != want {
				t.Errorf("%s: %v, %v", what, first, err)
			}
		}
	})
}

func anybodys(ledger.Schedule) bool { return true }

func TestSchedulesOfOthersAreInNobodysWay(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		must(t, b.SetSchedules(t.Context(), "s", []ledger.Schedule{schedule("a", "1", 0), schedule("b", "1", 1), schedule("c", "1", 2)}))
		due, err := b.Due(t.Context(), tick(9).Due, 1, func(s ledger.Schedule) bool { return s.Experiment == "c" })
		if err != nil || len(due) != 1 || due[0].Experiment != "c" {
			t.Errorf("due is %v, %v", due, err)
		}
	})
}

func TestAnApprovalIsThereWhenARunBeginsUntilItIsTakenBack(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		given := mishap.Approval{Experiment: "e", Digest: "sha256:1", By: "ann", Through: "token ann", Reason: "seen", At: epoch, Until: epoch.Add(time.Hour)}
		must(t, b.Approve(t.Context(), mishap.Approval{Experiment: "e", Digest: "sha256:0", By: "bob", Reason: "old", At: epoch, Until: epoch}))
		must(t, b.Approve(t.Context(), given))
		if all, err := b.Approvals(t.Context()); err != nil || len(all) != 1 || all[0].By != "ann" || !all[0].Until.Equal(given.Until) {
			t.Errorf("approvals are %v, %v", all, err)
		}
		seen := -1
		s := start("r", "e", "g")
		s.Admit = func(f mishap.Facts) error {
			seen = len(f.Approvals)
			if !f.Now.Equal(s.First.At) || f.Approvals[0].Digest != given.Digest {
				t.Errorf("the facts are %+v", f)
			}
			return nil
		}
		if _, err := b.Begin(t.Context(), s); err != nil || seen != 1 {
			t.Errorf("%d approvals were there, %v", seen, err)
		}
		must(t, b.Disapprove(t.Context(), "e", "ann", epoch))
		if err := b.Disapprove(t.Context(), "e", "ann", epoch); !errors.Is(err, ledger.ErrNotApproved) {
			t.Errorf("taking back nothing: %v", err)
		}
		acts, err := b.Audit(t.Context(), 0, 0, 10)
		if err != nil || len(acts) != 3 || acts[1].By != "ann" {
			t.Errorf("the audit has %v, %v", acts, err)
		}
	})
}

// A run whose journal deviates locks its experiment as it ends.
func TestAnExperimentThatDeviatedIsLockedUntilSomebodyUnlocksIt(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		lease := begin(t, b, "r1", "e", "g")
		must(t, b.Append(t.Context(), lease, state("r1", 2, mishap.Checking), state("r1", 3, mishap.Injecting), state("r1", 4, mishap.Reverting),
			state("r1", 5, mishap.Verifying), mishap.Entry{Run: "r1", Seq: 6, At: epoch, Recovered: &mishap.Recovered{In: false}}, state("r1", 7, mishap.Completed)))
		locks, err := b.Locks(t.Context())
		must(t, err)
		if len(locks) != 1 || locks[0].Experiment != "e" || locks[0].Run != "r1" || locks[0].Reason == "" {
			t.Fatalf("locks: %+v", locks)
		}
		again := start("r2", "e", "g")
		again.Admit = func(f mishap.Facts) error { return mishap.Limits{}.Admit(*again.First.Planned, f) }
		var denial *mishap.Denial
		if _, err := b.Begin(t.Context(), again); !errors.As(err, &denial) || denial.Cause != mishap.CauseLocked {
			t.Errorf("a locked experiment begins: %v", err)
		}
		must(t, b.Unlock(t.Context(), "e", "ann", "fixed", epoch))
		_, err = b.Begin(t.Context(), again)
		must(t, err)
		if err := b.Unlock(t.Context(), "e", "ann", "fixed", epoch); !errors.Is(err, ledger.ErrNotLocked) {
			t.Errorf("unlocked twice: %v", err)
		}
		acts, err := b.Audit(t.Context(), 0, 0, 10)
		must(t, err)
		if len(acts) != 1 || acts[0].By != "ann" || acts[0].What != "unlock e: fixed" {
			t.Errorf("the audit says %+v", acts)
		}
		latest, err := b.Latest(t.Context())
		must(t, err)
		if len(latest) != 1 || latest[0].ID != "r2" && latest[0].Verdict != mishap.Deviated {
			t.Errorf("the latest runs are %+v", latest)
		}
	})
}

func TestTheGovernorSeesWhatGoesOn(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		first := start("r1", "a", "a")
		first.First.Planned.Injections = []mishap.Injection{{Fault: "f", Target: mishap.Target{Where: mishap.Place{Region: "eu", Account: "1"}}, Matched: 10}}
		_, err := b.Begin(t.Context(), first)
		must(t, err)
		want := []mishap.Ongoing{{ID: "r1", Experiment: "a", Group: "a", State: mishap.Planned, Footprints: []mishap.Footprint{{Place: "1/eu", Targets: 1, Share: 0.1}}}}
		second := start("r2", "b", "b")
		second.Admit = func(f mishap.Facts) error {
			if diff := cmp.Diff(want, f.Runs); diff != "" {
				t.Error(diff)
			}
			return nil
		}
		_, err = b.Begin(t.Context(), second)
		must(t, err)
		all, err := b.Ongoing(t.Context())
		must(t, err)
		if len(all) != 2 {
			t.Errorf("%d runs go on", len(all))
		}
	})
}

func TestOldRunsAreRetiredButNotWhatStillCounts(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		at := func(minute int) time.Time { return epoch.Add(time.Duration(minute) * time.Minute) }
		run := func(id, experiment string, minute int, end mishap.State) {
			t.Helper()
			s := start(id, experiment, experiment)
			s.First.At = at(minute)
			lease, err := b.Begin(t.Context(), s)
			must(t, err)
			if end == "" {
				return
			}
			steps := []mishap.State{mishap.Refused}
			if end == mishap.Completed {
				steps = []mishap.State{mishap.Checking, mishap.Injecting, mishap.Reverting, mishap.Verifying, mishap.Completed}
			}
			for i, to := range steps {
				e := state(id, int64(i+2), to)
				e.At = at(minute)
				must(t, b.Append(t.Context(), lease, e))
			}
		}
		run("old", "a", 0, mishap.Completed)
		run("latest", "a", 1, mishap.Completed)
		run("refused", "a", 2, mishap.Refused)
		run("active", "b", 3, "")
		run("young", "c", 9, mishap.Refused)
		left := func() (ids []string) {
			all, err := b.Runs(t.Context(), 100)
			must(t, err)
			for _, r := range all {
				ids = append(ids, r.ID)
			}
			return ids
		}
		n, err := b.Retire(t.Context(), at(5), 0, 1)
		must(t, err)
		if n != 1 {
			t.Errorf("%d were retired, at most one was asked for", n)
		}
		_, err = b.Retire(t.Context(), at(5), 0, 100)
		must(t, err)
		if diff := cmp.Diff([]string{"young", "active", "latest"}, left()); diff != "" {
			t.Error(diff)
		}
		if _, err := b.Entries(t.Context(), "old"); !errors.Is(err, ledger.ErrUnknownRun) {
			t.Errorf("the journal of a retired run: %v", err)
		}
		run("younger", "d", 10, mishap.Refused)
		_, err = b.Retire(t.Context(), at(0), 1, 100)
		must(t, err)
		if diff := cmp.Diff([]string{"younger", "active", "latest"}, left()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestOldActsAreRetiredOldestFirst(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		for i := range 5 {
			must(t, b.Record(t.Context(), ledger.Act{At: epoch.Add(time.Duration(i) * time.Hour), By: "me", What: fmt.Sprint(i)}))
		}
		for _, c := range []struct{ hours, limit, want int }{{0, 10, 0}, {3, 2, 2}, {3, 10, 1}, {3, 10, 0}} {
			n, err := b.RetireActs(t.Context(), epoch.Add(time.Duration(c.hours)*time.Hour), c.limit)
			must(t, err)
			if n != c.want {
				t.Errorf("before hour %d, at most %d: %d were retired, want %d", c.hours, c.limit, n, c.want)
			}
		}
		acts, err := b.Audit(t.Context(), 0, 0, 10)
		must(t, err)
		if len(acts) != 2 || acts[0].What != "3" {
			t.Errorf("the audit has %+v", acts)
		}
		if before, err := b.Audit(t.Context(), 0, acts[1].ID+1, 10); err != nil || len(before) != 2 || before[0].ID != acts[1].ID {
			t.Errorf("newest first: %+v, %v", before, err)
		}
		if last, err := b.Audit(t.Context(), 0, 1<<60, 1); err != nil || len(last) != 1 || last[0].ID != acts[len(acts)-1].ID {
			t.Errorf("the last: %+v, %v", last, err)
		}
		_, err = b.RetireActs(t.Context(), epoch.Add(99*time.Hour), 10)
		must(t, err)
		must(t, b.Record(t.Context(), ledger.Act{At: epoch, By: "me", What: "after"}))
		if after, err := b.Audit(t.Context(), acts[1].ID, 0, 10); err != nil || len(after) != 1 {
			t.Errorf("an act after all others were retired has no id of its own: %+v, %v", after, err)
		}
	})
}

func TestOfTwoServersOnePublishesARevision(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		first, err := b.Publish(t.Context(), ledger.Revision{Source: "s", Commit: "c1", Digest: "d1", At: epoch}, 0)
		must(t, err)
		second, err := b.Publish(t.Context(), ledger.Revision{Source: "s", Commit: "c2", Digest: "d2", At: epoch}, first.Seq)
		must(t, err)
		if _, err := b.Publish(t.Context(), ledger.Revision{Source: "s", Commit: "c1"}, first.Seq); !errors.Is(err, ledger.ErrOutdated) {
			t.Errorf("an outdated revision is published: %v", err)
		}
		got, err := b.Revision(t.Context(), "s")
		must(t, err)
		if got.Commit != "c2" || got.Seq != second.Seq || second.Seq <= first.Seq || !got.At.Equal(epoch) {
			t.Errorf("in force: %+v", got)
		}
	})
}

func TestASourceSaysWhatIsInForceAndWhatIsWrong(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		rev, err := b.Publish(t.Context(), ledger.Revision{Source: "s", Commit: "c1", At: epoch}, 0)
		must(t, err)
		must(t, b.Looked(t.Context(), ledger.SourceState{Name: "s", Server: "one", Looked: epoch}))
		must(t, b.Looked(t.Context(), ledger.SourceState{Name: "s", Server: "two", Looked: epoch, Problem: "broken"}))
		all, err := b.Sources(t.Context())
		must(t, err)
		if len(all) != 1 || all[0].Server != "two" || all[0].Problem != "broken" || all[0].Revision.Seq != rev.Seq || !all[0].Looked.Equal(epoch) {
			t.Errorf("%+v", all)
		}
		must(t, b.SetSchedules(t.Context(), "s", []ledger.Schedule{schedule("a", "1", 0)}))
		must(t, b.ForgetSource(t.Context(), "s"))
		sources, err := b.Sources(t.Context())
		must(t, err)
		schedules, err := b.Schedules(t.Context())
		must(t, err)
		if len(sources)+len(schedules) != 0 {
			t.Errorf("a forgotten source leaves %+v, %+v", sources, schedules)
		}
	})
}

func BenchmarkRefuse(b *testing.B) {
	l, err := ledger.Open(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	n := 0
	for b.Loop() {
		var all []ledger.Refusal
		for range 100 {
			n++
			s := start(fmt.Sprintf("r%d", n), "e", "g")
			all = append(all, refusal(s, mishap.CauseLimit))
		}
		if err := l.Refuse(b.Context(), "one", all); err != nil {
			b.Fatal(err)
		}
	}
}

func TestTheAuditSaysThroughWhatSomebodyActs(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		ctx := ledger.Through(t.Context(), "in the console")
		must(t, b.Halt(ctx, ledger.Halt{By: "ann", Reason: "a drill", At: epoch}))
		must(t, b.Resume(ctx, "ann", "", epoch))
		must(t, b.Record(ctx, ledger.Act{At: epoch, By: "ann", What: "planExperiment"}))
		must(t, b.Approve(ctx, mishap.Approval{Experiment: "e", By: "ann", At: epoch, Until: epoch}))
		must(t, b.Disapprove(ctx, "e", "ann", epoch))
		must(t, b.Resume(t.Context(), "bob", "", epoch))
		acts, err := b.Audit(t.Context(), 0, 0, 10)
		must(t, err)
		if len(acts) != 6 || acts[0].What != "in the console: halt: a drill" || acts[5].What != "resume" {
			t.Fatalf("the audit has %+v", acts)
		}
		for _, a := range acts[:5] {
			if !strings.HasPrefix(a.What, "in the console: ") {
				t.Errorf("of what was done in the console it says %q", a.What)
			}
		}
	})
}
