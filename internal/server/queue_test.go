package server

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mishap"
	"mishap/internal/ledger"
)

// every5 is an experiment that is due every five minutes and waits for its turn.
func every5(name string, change ...func(*mishap.Experiment)) mishap.Experiment {
	return minutely(name, append([]func(*mishap.Experiment){func(e *mishap.Experiment) {
		e.Schedule.Cron, e.Schedule.Overlap = "*/5 * * * *", mishap.OverlapWait
	}}, change...)...)
}

// another is a second server on the same ledger.
func (b *bench) another() *bench {
	other := &bench{t: b.t, takes: b.takes, options: b.options}
	own := *b.shared
	own.wake = make(chan struct{}, 1)
	other.open(&own)
	other.notify = b.notify
	d := other.desired
	d.trees, d.known, d.problems, d.looked, d.reached, d.holding = b.trees, b.known, b.problems, b.looked, b.reached, b.holding
	return other
}

// begun lists the runs that began, in their order.
func (b *bench) begun() (began []ledger.Record) {
	b.t.Helper()
	all, err := b.book.Runs(b.t.Context(), 10_000)
	if err != nil {
		b.t.Fatal(err)
	}
	slices.SortStableFunc(all, func(a, b ledger.Record) int { return a.Began.Compare(b.Began) })
	ticks := map[string]bool{}
	for _, r := range all {
		if !r.Active() && r.Reason != "ran" {
			continue
		}
		began = append(began, r)
		key := r.Experiment + r.Tick.String()
		if ticks[key] {
			b.t.Errorf("%s has two runs of %s", r.Experiment, r.Tick)
		}
		ticks[key] = true
	}
	return began
}

func order(all []ledger.Record) (names []string) {
	for _, r := range all {
		names = append(names, r.Experiment)
	}
	return names
}

// wantTurns checks that nobody waits longer than for one run of each other, from
// the first time that they did not get.
func wantTurns(t *testing.T, b *bench, interval time.Duration, names ...string) {
	t.Helper()
	began := b.begun()
	for _, name := range names {
		turns := 0
		var since time.Time
		for i, r := range began {
			if r.Experiment != name {
				continue
			}
			others := 0
			for _, other := range began[:i] {
				if other.Experiment != name && !other.Began.Before(since) {
					others++
				}
			}
			if others > len(names)-1 {
				t.Errorf("%s waited from %s to %s for %d runs of others: %v", name, since, r.Began, others, order(began))
			}
			turns++
			if since = r.Tick.Add(interval); since.Before(r.Ended) {
				since = r.Ended
			}
		}
		if turns < len(began)/len(names)-1 {
			t.Errorf("%s had %d turns of %d", name, turns, len(began))
		}
	}
	if len(began) < 3*len(names) {
		t.Errorf("only %d runs", len(began))
	}
}

func TestWhatWaitsLongestGoesFirst(t *testing.T) {
	names := []string{"a", "b", "c", "d"}
	skips := func(e *mishap.Experiment) { e.Schedule.Overlap = mishap.OverlapSkip }
	same := func(e *mishap.Experiment) { e.Group = "g" }
	leave := func(*mishap.Experiment) {}
	for _, c := range []struct {
		name    string
		change  func(*mishap.Experiment)
		runs    int
		takes   time.Duration
		servers int
	}{
		{"room for all in an interval", leave, 1, time.Minute, 1},
		{"room for some", leave, 1, 2 * time.Minute, 1},
		{"a run longer than the interval", leave, 1, 7 * time.Minute, 1},
		{"nobody wants to wait", skips, 1, time.Minute, 1},
		{"one group without a limit on runs", same, 0, 2 * time.Minute, 1},
		{"three servers", leave, 1, 2 * time.Minute, 3},
		{"three servers and one group", same, 0, 2 * time.Minute, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			on(t, func(t *testing.T) {
				var list []mishap.Experiment
				for _, n := range names {
					list = append(list, every5(n, c.change))
				}
				b := newBench(t, list...)
				b.rules().Limits.Runs, b.takes = c.runs, c.takes
				const long = 3 * time.Hour
				ctx, cancel := context.WithTimeout(t.Context(), long)
				defer cancel()
				for range c.servers - 1 {
					go b.another().dispatch(ctx)
				}
				b.serve(long)
				wantTurns(t, b, 5*time.Minute, names...)
			})
		})
	}
}

func TestALargeRunIsNotKeptOutByManySmallOnes(t *testing.T) {
	on(t, func(t *testing.T) {
		targets := map[string]int{"large": 3, "small-a": 1, "small-b": 1, "small-c": 1}
		var list []mishap.Experiment
		for n := range targets {
			list = append(list, every5(n, func(e *mishap.Experiment) {
				if n != "large" {
					e.Schedule.Cron = "* * * * *"
				}
			}))
		}
		b := newBench(t, list...)
		b.rules().Limits.Targets, b.takes = 3, 50*time.Second
		b.touches = targets
		b.serve(2 * time.Hour)
		n := 0
		for _, name := range order(b.begun()) {
			if name == "large" {
				n++
			}
		}
		if n < 20 {
			t.Errorf("the large one ran %d times in two hours", n)
		}
	})
}

func TestARefusalSaysForHowLongItWaitedAndWhatWasInItsWay(t *testing.T) {
	on(t, func(t *testing.T) {
		b := newBench(t, every5("a"), every5("b"))
		b.rules().Limits.Runs, b.takes = 1, 20*time.Minute
		var events []event
		heard, done := b.hub.listen(0)
		defer done()
		b.serve(11 * time.Minute)
		for len(heard) > 0 {
			events = append(events, <-heard)
		}
		all, err := b.book.Runs(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		said := ""
		for _, r := range all {
			if r.Experiment == "b" {
				said = r.Reason
			}
		}
		if want := "it waited for 5m, until its next time: 1 run under way (a); the governor allows 1 at once"; said != want {
			t.Errorf("got  %q\nwant %q", said, want)
		}
		waits := 0
		for _, e := range events {
			if e.Waiting != nil && e.Waiting.Experiment == "b" && strings.Contains(e.Waiting.Why, "the governor allows 1 at once") {
				waits++
			}
		}
		if waits != 2 { // once for each time of its schedule
			t.Errorf("listeners were told %d times that b waits", waits)
		}
		queue, err := b.book.Queue(t.Context(), time.Now())
		if err != nil || len(queue) == 0 || queue[0].Experiment != "b" || queue[0].Since.UTC().Format("15:04") != "00:05" {
			t.Errorf("the queue is %+v, %v", queue, err)
		}
	})
}

func TestWhatCannotRunHoldsUpNobody(t *testing.T) {
	on(t, func(t *testing.T) {
		b := newBench(t, every5("a"), every5("b"), every5("c"))
		b.rules().Limits.Runs, b.takes = 1, time.Minute
		// a waits first, and then its server is gone and no other has it.
		turn := ledger.Turn{Waiting: mishap.Waiting{Experiment: "a", Since: time.Now().Add(-time.Hour), Wants: []string{mishap.WantsRun}}, Tick: b.must(b.book.Schedules(t.Context()))[0].Tick.At, Until: time.Now()}
		if err := b.book.Postpone(t.Context(), []ledger.Turn{turn}); err != nil {
			t.Fatal(err)
		}
		delete(b.known, "a")
		b.serve(time.Hour)
		wantTurns(t, b, 5*time.Minute, "b", "c")
	})
}

func (b *bench) must(all []ledger.Schedule, err error) []ledger.Schedule {
	b.t.Helper()
	if err != nil || len(all) == 0 {
		b.t.Fatal(len(all), err)
	}
	return all
}

func TestNothingBeginsThatWasWithdrawnWhileItWaitedOrWasPlanned(t *testing.T) {
	on(t, func(t *testing.T) {
		b := newBench(t, every5("a"), every5("b"))
		b.takes = time.Second
		var late atomic.Bool
		run := b.launch
		b.launch = func(due begins) {
			if due.Name == "b" {
				late.Store(true)
				b.adopt(every5("a")) // a new revision comes while b is planned
			}
			run(due)
		}
		b.serve(6 * time.Minute)
		if got := fmt.Sprint(order(b.begun())); got != "[a]" || !late.Load() {
			t.Errorf("began: %s", got)
		}
	})
}
