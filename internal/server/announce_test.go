package server

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mishap"
	"mishap/internal/config"
	"mishap/internal/ledger"
)

func (b *bench) announceFor(d time.Duration) {
	ctx, cancel := context.WithTimeout(b.t.Context(), d)
	defer cancel()
	b.announceLoop(ctx)
}

func TestAScheduledRunIsAnnouncedOnceAndOnlyIfItMayRun(t *testing.T) {
	on(t, func(t *testing.T) {
		daily := func(e *mishap.Experiment) { e.Schedule.Cron = "0 10 * * *" }
		b := newBench(t, minutely("a", daily), minutely("known", daily, func(e *mishap.Experiment) {
			e.Impacts = []mishap.Impact{{What: "it breaks"}}
		}))
		b.settings.Live().Notices.Before = mishap.Duration(15 * time.Minute)
		time.Sleep(9*time.Hour + 40*time.Minute)
		b.announceFor(30 * time.Minute) // nobody dispatches, so it stays due
		want := []string{"a begins at 10:00:00 UTC, in 15m: 0 faults for at most 0s"}
		if diff := cmp.Diff(want, b.told); diff != "" {
			t.Error(diff)
		}
		b.announceFor(time.Hour) // nor again after a restart
		if len(b.told) != 1 {
			t.Errorf("told again: %q", b.told)
		}
	})
}

func TestTheDigestTellsEachOwnerWhatWaitsForThem(t *testing.T) {
	on(t, func(t *testing.T) {
		of := func(owner string) func(*mishap.Experiment) { return func(e *mishap.Experiment) { e.Owner = owner } }
		b := newBench(t, minutely("fine", of("web")), minutely("fresh", of("web")), minutely("old", of("pay")), minutely("broken", of("pay")), minutely("known", func(e *mishap.Experiment) {
			e.Impacts = []mishap.Impact{{What: "it breaks"}}
		}))
		b.settings.Live().Notices.Digest = &config.Digest{Cron: "0 9 * * MON", Timezone: "UTC", Stale: mishap.Duration(24 * time.Hour)}
		made, err := newDigest(b.settings)
		if err != nil {
			t.Fatal(err)
		}
		b.digest.Store(made)
		ran := func(name string, verdict mishap.Verdict) {
			must := func(err error) {
				if err != nil {
					t.Fatal(err)
				}
			}
			e := minutely(name)
			lease, err := b.book.Begin(t.Context(), ledger.Start{Server: "one", First: mishap.Entry{Run: name, Seq: 1, At: time.Now(), Planned: &mishap.Plan{Experiment: e}}})
			must(err)
			seq := int64(1)
			for _, to := range []mishap.State{mishap.Checking, mishap.Injecting, mishap.Holding, mishap.Reverting, mishap.Verifying, mishap.Completed} {
				seq++
				change := &mishap.StateChange{To: to}
				if to == mishap.Reverting {
					change.Cause = mishap.CauseElapsed
				}
				must(b.book.Append(t.Context(), lease, mishap.Entry{Run: name, Seq: seq, At: time.Now(), State: change}))
				if to == mishap.Verifying {
					seq++
					must(b.book.Append(t.Context(), lease, mishap.Entry{Run: name, Seq: seq, At: time.Now(), Recovered: &mishap.Recovered{In: verdict != mishap.Deviated}}))
				}
			}
		}
		ran("old", mishap.Held)
		ran("broken", mishap.Deviated)
		time.Sleep(2*24*time.Hour + 8*time.Hour) // Monday, 3 January 2000
		ran("fine", mishap.Held)
		b.announceFor(7 * 24 * time.Hour)
		if len(b.told) != 3 {
			t.Errorf("%d messages: %q", len(b.told), b.told)
		}
		all := strings.Join(b.told, "\n")
		for _, want := range []string{
			"Waits for nobody in particular:\n- known does not run, for a known impact: it breaks",
			"Waits for pay:\n- broken is locked since 2000-01-01: the steady state did not come back",
			"Waits for web:\n- fine", "- fresh has never run",
		} {
			if !strings.Contains(all, want) {
				t.Errorf("it does not say %q:\n%s", want, all)
			}
		}
	})
}
