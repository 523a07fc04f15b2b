package ledger_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mishap"
	"mishap/internal/ledger"
)

func turn(experiment string, minute int, until time.Time, wants ...string) ledger.Turn {
	return ledger.Turn{Waiting: mishap.Waiting{Experiment: experiment, Since: tick(minute).Due, Wants: wants, Why: "because"}, Tick: tick(minute).At, Until: until}
}

func waiting(t *testing.T, b book, now time.Time) (names []string) {
	t.Helper()
	all, err := b.Queue(t.Context(), now)
	must(t, err)
	for _, w := range all {
		names = append(names, w.Experiment)
	}
	return names
}

func TestWhatWaitsLongestIsFirstAndItsPlaceOutlivesItsTimes(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		must(t, b.SetSchedules(t.Context(), "s", []ledger.Schedule{schedule("a", "1", 0), schedule("b", "1", 0), schedule("c", "1", 0), schedule("d", "1", 9)}))
		must(t, b.Postpone(t.Context(), []ledger.Turn{turn("b", 0, tick(0).Due, mishap.WantsRun, mishap.WantsGroup("g h")), turn("c", 0, tick(0).Due, mishap.WantsRun)}))
		if diff := cmp.Diff([]string{"b", "c"}, waiting(t, b, tick(0).Due)); diff != "" {
			t.Error(diff)
		}
		all, err := b.Queue(t.Context(), tick(0).Due)
		must(t, err)
		if diff := cmp.Diff(mishap.Waiting{Experiment: "b", Since: tick(0).Due.Local(), Wants: []string{"run", "group g h"}, Why: "because"}, all[0]); diff != "" {
			t.Error(diff)
		}
		// b was not run at its time, and keeps its place; c was not asked to keep it; a runs.
		late := onSchedule("r1", "b", 0)
		late.Advance.Since, late.Advance.Wants = tick(0).Due, []string{mishap.WantsRun}
		gone := onSchedule("r2", "c", 0)
		gone.Advance.Since = tick(0).Due
		must(t, b.Refuse(t.Context(), "one", []ledger.Refusal{refusal(late, mishap.CauseLimit), refusal(gone, mishap.CauseLimit)}))
		_, err = b.Begin(t.Context(), onSchedule("r3", "a", 0))
		must(t, err)
		if diff := cmp.Diff([]string{"b"}, waiting(t, b, tick(0).Due)); diff != "" {
			t.Error(diff)
		}
		due, err := b.Due(t.Context(), tick(1).Due, 10, anybodys)
		must(t, err)
		var names []string
		for _, s := range due {
			names = append(names, s.Experiment)
		}
		if diff := cmp.Diff([]string{"b", "c", "a"}, names); diff != "" {
			t.Errorf("what waits longest is not first: %s", diff)
		}
		// Its run ends its waiting.
		seen := 0
		run := onSchedule("r4", "b", 1)
		run.First.At = tick(1).Due
		run.Admit = func(f mishap.Facts) error { seen = len(f.Queue); return nil }
		_, err = b.Begin(t.Context(), run)
		must(t, err)
		if left := waiting(t, b, tick(1).Due); seen != 1 || left != nil {
			t.Errorf("%d waited in the transaction that began it, %v after it", seen, left)
		}
		all2, err := b.Schedules(t.Context())
		must(t, err)
		if i := slices.IndexFunc(all2, func(s ledger.Schedule) bool { return s.Experiment == "b" }); !all2[i].Since.IsZero() {
			t.Errorf("b had its turn and waits since %s", all2[i].Since)
		}
	})
}

func TestAPlaceThatNobodyKeepsHoldsUpNobody(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		must(t, b.SetSchedules(t.Context(), "s", []ledger.Schedule{schedule("a", "1", 0)}))
		must(t, b.Postpone(t.Context(), []ledger.Turn{turn("a", 0, tick(1).Due, mishap.WantsRun)}))
		if got := waiting(t, b, tick(1).Due.Add(4*time.Second)); len(got) != 1 {
			t.Errorf("its place is lost at once: %v", got)
		}
		if got := waiting(t, b, tick(1).Due.Add(6*time.Second)); got != nil {
			t.Errorf("a place that nobody keeps is held: %v", got)
		}
		must(t, b.SetSchedules(t.Context(), "s", []ledger.Schedule{schedule("a", "2", 0)}))
		if got := waiting(t, b, tick(0).Due); got != nil {
			t.Errorf("another schedule has the place of the one before: %v", got)
		}
	})
}

func TestAClaimHoldsItsPlaceAndIsOneServers(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		must(t, b.SetSchedules(t.Context(), "s", []ledger.Schedule{schedule("a", "1", 0)}))
		for i, want := range []bool{true, false} {
			got, err := b.Claim(t.Context(), schedule("a", "1", 0), turn("a", 0, tick(3).Due, mishap.WantsRun))
			must(t, err)
			if got != want {
				t.Errorf("claim %d: %v", i+1, got)
			}
		}
		if got := waiting(t, b, tick(2).Due); len(got) != 1 {
			t.Errorf("what is being planned has no place: %v", got)
		}
	})
}

func TestNothingBeginsOfARevisionThatIsNoLongerInForce(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		first, err := b.Publish(t.Context(), ledger.Revision{Source: "s", Commit: "c1", At: epoch}, 0)
		must(t, err)
		s := start("r1", "e", "g")
		s.InForce = &first
		s.Act = &ledger.Act{At: epoch, By: "ann", What: "did it"}
		_, err = b.Publish(t.Context(), ledger.Revision{Source: "s", Commit: "c2", At: epoch}, first.Seq)
		must(t, err)
		if _, err := b.Begin(t.Context(), s); !errors.Is(err, ledger.ErrOutdated) {
			t.Errorf("a run of an older revision begins: %v", err)
		}
		s.InForce = nil
		_, err = b.Begin(t.Context(), s)
		must(t, err)
		acts, err := b.Audit(t.Context(), 0, 0, 10)
		must(t, err)
		if len(acts) != 1 || acts[0].What != "did it" {
			t.Errorf("the audit has %+v", acts)
		}
	})
}

func TestWhenASourceAnsweredLastIsKeptWhileItDoesNot(t *testing.T) {
	each(t, func(t *testing.T, b book) {
		must(t, b.Looked(t.Context(), ledger.SourceState{Name: "s", Server: "one", Looked: epoch, Reached: epoch}))
		must(t, b.Looked(t.Context(), ledger.SourceState{Name: "s", Server: "one", Looked: epoch.Add(time.Hour), Problem: "gone", Holds: "not looked at"}))
		all, err := b.Sources(t.Context())
		must(t, err)
		if len(all) != 1 || !all[0].Reached.Equal(epoch) || all[0].Holds != "not looked at" {
			t.Errorf("%+v", all)
		}
	})
}
