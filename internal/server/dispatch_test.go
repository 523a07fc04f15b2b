package server

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/internal/aid"
	"mishap/internal/api"
	"mishap/internal/catalog"
	"mishap/internal/config"
	"mishap/internal/engine"
	"mishap/internal/ledger"
	"mishap/internal/member"
	"mishap/internal/notify"
	"mishap/internal/runner"
	"mishap/internal/source"
)

// bench is a server on the in-memory ledger and fake time. What it starts is
// recorded, and takes as long as `takes`.
type bench struct {
	*Server
	*shared
	*desired
	*follower
	*dispatcher
	*launcher
	*asker
	*approvals
	*announcer
	*events
	t     *testing.T
	takes time.Duration
	told  []string // the texts of messages

	touches map[string]int // by experiment: how many targets of this machine
	options Options
}

func newBench(t *testing.T, list ...mishap.Experiment) *bench {
	t.Helper()
	return newBenchOn(t, member.Options{Book: ledger.NewMemory()}, list...)
}

// newBenchOn is a bench with a ledger, and perhaps a pulse, of its own.
func newBenchOn(t *testing.T, m member.Options, list ...mishap.Experiment) *bench {
	t.Helper()
	m.Log = slog.New(slog.DiscardHandler)
	settings, of := &config.Settings{}, member.New(m)
	settings.Put(new(config.Live))
	c := catalog.New(catalog.Options{Settings: settings, Halted: of.HaltedBy, Others: of.Others})
	a := aid.New(aid.Options{Settings: settings, Member: of, Kinds: c.Kinds, Restore: c.Restore})
	o := Options{Settings: settings, Member: of, Catalog: c, Aid: a, Book: m.Book, Sources: []config.Source{{Name: "s"}}, Log: m.Log}
	o.Engine = engine.New(engine.Options{Settings: settings, Member: of, Catalog: c, Aid: a, Log: m.Log})
	b := &bench{t: t, options: o}
	rules := &catalog.Rules{Freezes: catalog.NewFreezes()}
	b.open(&shared{
		settings: settings, member: of, catalog: c, engine: o.Engine, book: m.Book, log: m.Log, life: t.Context(),
		rules: func() *catalog.Rules { return rules }, wake: make(chan struct{}, 1),
	})
	b.notify = func(m notify.Message) { b.told = append(b.told, m.Text) }
	b.adopt(list...)
	b.sawSource("s", true)
	return b
}

// open makes the server of the bench.
func (b *bench) open(s *shared) {
	made := assemble(s, b.options, &notify.Notifier{})
	b.Server, b.shared, b.desired, b.follower, b.dispatcher, b.launcher = made, s, made.desired, made.follower, made.dispatcher, made.launcher
	b.asker, b.approvals, b.announcer, b.events = made.asker, made.approvals, made.announcer, made.events
	b.launch = b.run
}

func (b *bench) adopt(list ...mishap.Experiment) {
	b.t.Helper()
	before, err := b.book.Revision(b.t.Context(), "s")
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.follower.adopt(b.t.Context(), *source.NewTree("s", list), before); err != nil {
		b.t.Fatal(err)
	}
}

// run begins a run as attempt does, and ends it later.
func (b *bench) run(due begins) {
	plan := &mishap.Plan{Experiment: due.Experiment}
	for range b.touches[due.Name] {
		plan.Injections = append(plan.Injections, mishap.Injection{Matched: 100})
	}
	first := mishap.Entry{Run: engine.NewRunID(), Seq: 1, At: time.Now(), Trigger: due.trigger(), Planned: plan}
	lease, err := b.book.Begin(b.t.Context(), ledger.Start{Server: "one", First: first, Advance: due.advance,
		Admit: func(f mishap.Facts) error { return b.launcher.admit(due.held, *plan, f) }})
	if err != nil {
		if err := b.notBegun(due, err); err != nil {
			b.t.Errorf("%s at %s: %v", due.Name, due.tick.At, err)
		}
		return
	}
	time.AfterFunc(b.takes, func() {
		if err := b.book.Append(context.Background(), lease, mishap.Entry{Run: first.Run, Seq: 2, At: time.Now(),
			State: &mishap.StateChange{To: mishap.Refused, Cause: mishap.CauseSteadyState, Reason: "ran"}}); err != nil {
			b.t.Error(err)
		}
	})
}

// serve dispatches for so long.
func (b *bench) serve(d time.Duration) {
	ctx, cancel := context.WithTimeout(b.t.Context(), d)
	defer cancel()
	b.dispatch(ctx)
}

// story is what became of every time, oldest first: "12:01 ran" or "12:02 busy".
func (b *bench) story() string {
	b.t.Helper()
	all, err := b.book.Runs(b.t.Context(), 10_000)
	if err != nil {
		b.t.Fatal(err)
	}
	slices.SortStableFunc(all, func(a, b ledger.Record) int { return a.Tick.Compare(b.Tick) })
	var lines []string
	for _, r := range all {
		what := string(r.Cause)
		if r.Reason == "ran" || r.Active() {
			what = "ran"
			if late := r.Began.Sub(r.Tick); late >= time.Second {
				what += fmt.Sprintf(" %s late", late.Round(10*time.Second))
			}
		}
		lines = append(lines, r.Tick.UTC().Format("15:04")+" "+what)
	}
	return strings.Join(lines, ", ")
}

func minutely(name string, change ...func(*mishap.Experiment)) mishap.Experiment {
	e := mishap.Experiment{Name: name, Group: name, Schedule: &mishap.Schedule{
		Cron: "* * * * *", Timezone: "UTC", Missed: mishap.MissedSkip, Overlap: mishap.OverlapSkip, Seed: 1,
	}}
	for _, c := range change {
		c(&e)
	}
	return e
}

// on runs a test on fake time, which begins at midnight UTC of 1 January 2000.
func on(t *testing.T, test func(*testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

func want(t *testing.T, b *bench, story string) {
	t.Helper()
	if got := b.story(); got != story {
		t.Errorf("got  %s\nwant %s", got, story)
	}
}

func TestWhatIsDueRunsOnTheMinute(t *testing.T) {
	on(t, func(t *testing.T) {
		b := newBench(t, minutely("a"))
		b.serve(3*time.Minute + time.Second)
		want(t, b, "00:01 ran, 00:02 ran, 00:03 ran")
	})
}

func TestARunInTheWaySkipsOrWaits(t *testing.T) {
	on(t, func(t *testing.T) {
		b := newBench(t, minutely("a"))
		b.takes = 90 * time.Second
		b.serve(4*time.Minute + time.Second)
		want(t, b, "00:01 ran, 00:02 busy, 00:03 ran, 00:04 busy")
	})
	on(t, func(t *testing.T) {
		b := newBench(t, minutely("a", func(e *mishap.Experiment) { e.Schedule.Overlap = mishap.OverlapWait }))
		b.takes = 100*time.Second + 500*time.Millisecond
		b.serve(4*time.Minute + 30*time.Second)
		// 00:03 waits until 00:04 is due, and gives way to it.
		want(t, b, "00:01 ran, 00:02 ran 40s late, 00:03 busy, 00:04 ran 20s late")
	})
}

func TestTheGroupHasOneRunAtATime(t *testing.T) {
	on(t, func(t *testing.T) {
		same := func(e *mishap.Experiment) { e.Group = "g" }
		b := newBench(t, minutely("a", same), minutely("b", same))
		b.takes = time.Second
		b.serve(time.Minute + time.Second)
		if got := b.story(); got != "00:01 ran, 00:01 busy" && got != "00:01 busy, 00:01 ran" {
			t.Error(got)
		}
	})
}

func TestWhatWasMissedIsSkippedOrMadeUpFor(t *testing.T) {
	for _, c := range []struct {
		missed mishap.Missed
		away   time.Duration
		want   string
	}{
		{mishap.MissedSkip, 5*time.Minute + 30*time.Second, "00:01 missed, 00:02 missed, 00:03 missed, 00:04 missed, 00:05 ran 30s late, 00:06 ran"},
		{mishap.MissedLast, 5*time.Minute + 30*time.Second, "00:01 missed, 00:02 missed, 00:03 missed, 00:04 ran 90s late, 00:05 ran 30s late, 00:06 ran"},
		{mishap.MissedAll, 3*time.Minute + 30*time.Second, "00:01 ran 150s late, 00:02 ran 90s late, 00:03 ran 30s late, 00:04 ran"},
		{mishap.MissedSkip, 100*time.Minute + 30*time.Second, "00:01 missed, 01:31 missed, 01:32 missed, 01:33 missed, 01:34 missed, 01:35 missed, 01:36 missed, 01:37 missed, 01:38 missed, 01:39 missed, 01:40 ran 30s late, 01:41 ran"},
	} {
		on(t, func(t *testing.T) {
			b := newBench(t, minutely("a", func(e *mishap.Experiment) { e.Schedule.Missed = c.missed }))
			time.Sleep(c.away) // nobody serves
			b.serve(time.Minute)
			got := strings.ReplaceAll(strings.ReplaceAll(b.story(), "2m30s", "150s"), "1m30s", "90s")
			if got != c.want {
				t.Errorf("%s after %s:\ngot  %s\nwant %s", c.missed, c.away, got, c.want)
			}
		})
	}
}

func TestTheLastOfADailyScheduleIsMadeUpFor(t *testing.T) {
	on(t, func(t *testing.T) {
		b := newBench(t, minutely("a", func(e *mishap.Experiment) { e.Schedule.Cron, e.Schedule.Missed = "0 10 * * *", mishap.MissedLast }))
		time.Sleep(3*24*time.Hour + 12*time.Hour)
		b.serve(time.Minute)
		want(t, b, "10:00 missed, 10:00 missed, 10:00 missed, 10:00 ran 2h0m0s late")
	})
}

// frozen is a safeguard that says no.
type frozen struct{}

func (frozen) Check(context.Context, mishap.Situation) error {
	return &mishap.Veto{Safeguard: "freeze", Reason: "frozen"}
}

func TestWhatStandsAgainstARunIsRecorded(t *testing.T) {
	for _, c := range []struct {
		cause string
		set   func(*bench)
	}{
		{"halt", func(b *bench) { _ = b.book.Halt(b.t.Context(), ledger.Halt{By: "ann", At: time.Now()}) }},
		{"impact", func(b *bench) {
			b.adopt(minutely("a", func(e *mishap.Experiment) { e.Impacts = []mishap.Impact{{What: "it hurts", Until: "2000-01-02"}} }))
		}},
		{"policy", func(b *bench) {
			b.adopt(minutely("a", func(e *mishap.Experiment) {
				e.SteadyState = []mishap.ProbeSpec{{Name: "p", Probe: "exec", With: []byte(`{"argv": ["sh"]}`)}}
			}))
		}},
		{"safeguard", func(b *bench) {
			b.rules().Freezes = catalog.NewFreezes(runner.Guard{Name: "freeze", Safeguard: frozen{}})
		}},
	} {
		on(t, func(t *testing.T) {
			b := newBench(t, minutely("a"))
			c.set(b)
			b.serve(time.Minute + time.Second)
			want(t, b, "00:01 "+c.cause)
		})
	}
}

func TestNoMoreRunsThanTheGovernorAllowsBegin(t *testing.T) {
	on(t, func(t *testing.T) {
		var list []mishap.Experiment
		for i := range 250 {
			list = append(list, minutely(fmt.Sprintf("e%03d", i)))
		}
		b := newBench(t, list...)
		b.rules().Limits.Runs, b.takes = 7, time.Second
		b.serve(time.Minute + 500*time.Millisecond)
		story := b.story()
		if ran, limit := strings.Count(story, "ran"), strings.Count(story, "limit"); ran != 7 || limit != 243 {
			t.Errorf("%d ran and %d did not", ran, limit)
		}
	})
}

func TestARemovedExperimentIsNotRunAndANewOneIs(t *testing.T) {
	on(t, func(t *testing.T) {
		b := newBench(t, minutely("a"))
		b.serve(time.Minute + time.Second)
		b.adopt(minutely("b"))
		b.serve(time.Minute)
		want(t, b, "00:01 ran, 00:02 ran")
		if all, _ := b.book.Schedules(t.Context()); len(all) != 1 || all[0].Experiment != "b" {
			t.Errorf("schedules: %+v", all)
		}
	})
}

func TestAClockThatWentBackRunsNothingTwiceAndSkipsNothing(t *testing.T) {
	on(t, func(t *testing.T) {
		b := newBench(t, minutely("a"))
		b.serve(3*time.Minute + time.Second)
		// As a server would have written whose clock was a day ahead.
		ahead := b.known["a"].table
		next, _ := ahead.Next(time.Now().AddDate(0, 0, 1))
		if err := b.book.Reset(t.Context(), []ledger.Schedule{{Experiment: "a", Spec: must(b.book.Schedules(t.Context()))[0].Spec, Tick: next, Advanced: time.Now().AddDate(0, 0, 1)}}); err != nil {
			t.Fatal(err)
		}
		b.clock = time.Now().AddDate(0, 0, 1)
		b.serve(2 * time.Minute)
		want(t, b, "00:01 ran, 00:02 ran, 00:03 ran, 00:04 ran, 00:05 ran")
		// And back over times that were run already.
		first, _ := ahead.Next(time.Now().Add(-10 * time.Minute))
		if err := b.book.Reset(t.Context(), []ledger.Schedule{{Experiment: "a", Spec: must(b.book.Schedules(t.Context()))[0].Spec, Tick: first, Advanced: time.Now()}}); err != nil {
			t.Fatal(err)
		}
		b.serve(time.Minute)
		if got := strings.Count(b.story(), "00:03"); got != 1 {
			t.Errorf("a time has %d runs: %s", got, b.story())
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestAServerWithAnOlderTreeStartsNothing(t *testing.T) {
	on(t, func(t *testing.T) {
		b := newBench(t, minutely("a"))
		r, _ := b.book.Revision(t.Context(), "s")
		if _, err := b.book.Publish(t.Context(), ledger.Revision{Source: "s", Commit: "newer", At: time.Now()}, r.Seq); err != nil {
			t.Fatal(err)
		}
		b.serve(2 * time.Minute)
		want(t, b, "")
	})
}

func TestEveryTimeIsDealtWithOnceByTwoServers(t *testing.T) {
	on(t, func(t *testing.T) {
		b := newBench(t, minutely("a"))
		other := b.another()
		var lost int
		try := func(server *bench) func(begins) {
			return func(due begins) {
				plan := &mishap.Plan{Experiment: due.Experiment}
				first := mishap.Entry{Run: engine.NewRunID(), Seq: 1, At: time.Now(), Trigger: due.trigger(), Planned: plan}
				lease, err := server.book.Begin(t.Context(), ledger.Start{Server: "two", First: first, Advance: due.advance})
				if err != nil {
					lost++
					return
				}
				_ = server.book.Append(t.Context(), lease, mishap.Entry{Run: first.Run, Seq: 2, At: time.Now(), State: &mishap.StateChange{To: mishap.Refused, Reason: "ran"}})
			}
		}
		b.launch, other.launch = try(b), try(other)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute+time.Second)
		defer cancel()
		go other.dispatch(ctx)
		b.dispatch(ctx)
		synctest.Wait()
		if got := strings.Count(b.story(), "ran"); got != 10 {
			t.Errorf("%d runs in ten minutes (%d lost races): %s", got, lost, b.story())
		}
	})
}

func TestAnExperimentRunsOnlyWhereItsLabelsAre(t *testing.T) {
	on(t, func(t *testing.T) {
		needs := func(region string) func(*mishap.Experiment) {
			return func(e *mishap.Experiment) { e.Needs = map[string]string{"region": region} }
		}
		list := []mishap.Experiment{minutely("here", needs("eu"))}
		for i := range 2 * dispatchBatch { // more than are looked at at once, and due before it
			list = append(list, minutely(fmt.Sprintf("a-there-%03d", i), needs("us")))
		}
		b := newBench(t, list...)
		b.settings.Live().Labels = map[string]string{"region": "eu", "account": "1"}
		b.serve(2*time.Minute + time.Second)
		if got, want := b.story(), "00:01 ran, 00:02 ran"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if got, err := b.ask(t.Context(), api.StartRequest{Experiment: "a-there-000"}, "ann", ""); err != nil || got.Cause != mishap.CausePolicy || !strings.Contains(got.Refused, "region=us") {
			t.Errorf("asked for it: %+v, %v", got, err)
		}
	})
}
