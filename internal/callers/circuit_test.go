package callers_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"mishap/internal/callers"
)

// shop calls about 50 times a second. From bad to good every call fails; after failures in a row its breaker opens for
// wait, and then lets trials calls through. breaker 0: it has none.
type shop struct {
	bad, good, until time.Duration
	breaker, trials  int
	wait             time.Duration
	ids              bool
	part             float64 // of the calls that fail while it is bad; 0: all. The breaker then goes by their number, not by those in a row
}

func (w shop) run(seed uint64) (all []callers.Attempt) {
	r := rand.New(rand.NewPCG(seed, 3))
	failures, trial, opened := 0, 0, time.Duration(-1)
	for at, n := time.Duration(0), 0; at < w.until; at, n = at+time.Duration(r.ExpFloat64()*float64(20*ms)), n+1 {
		if opened >= 0 && at < opened+w.wait {
			continue
		}
		a := ok("", at, 2*ms)
		if at >= w.bad && at < w.good && (w.part == 0 || r.Float64() < w.part) {
			a = fail("", at, 2*ms)
		}
		if w.ids {
			a.ID = fmt.Sprint(n)
		}
		all = append(all, a)
		bad := a.Outcome != callers.OK
		switch {
		case w.breaker == 0:
		case opened >= 0 && !bad && (w.part == 0 || at >= w.good):
			failures, opened = 0, -1
		case opened >= 0:
			if trial++; trial >= w.trials {
				opened, trial = at, 0
			}
		case bad:
			if failures++; failures >= w.breaker {
				opened, trial = at, 0
			}
		case w.part == 0:
			failures = 0
		}
	}
	return all
}

func TestABreakerIsSeenToOpenTryAgainAndClose(t *testing.T) {
	for seed := range uint64(100) {
		w := shop{bad: 5 * time.Second, good: 15 * time.Second, until: 20 * time.Second, breaker: 40, trials: 3, wait: time.Second, ids: seed%2 == 0}
		c := analyse(w.until, w.run(seed)...).Circuit
		if c.Kind != callers.CircuitOpens || c.Openings != 1 || c.Failures != 40 || c.Closed != 1 || c.Guess == w.ids {
			t.Errorf("seed %d: %+v", seed, c)
		}
		if c.After.Std() < 300*ms || c.After.Std() > 1500*ms || c.Every.Std() < time.Second || c.Every.Std() > 1300*ms || c.Rate < 2 || c.Rate > 3 {
			t.Errorf("seed %d: %s", seed, c.Words())
		}
	}
}

func TestABreakerThatGoesByARateIsSeenToo(t *testing.T) {
	for seed := range uint64(100) {
		w := shop{bad: 5 * time.Second, good: 15 * time.Second, until: 20 * time.Second, breaker: 40, trials: 3, wait: time.Second, part: 0.6}
		c := analyse(w.until, w.run(seed)...).Circuit
		if c.Kind != callers.CircuitOpens || c.After.Std() > 4*time.Second || c.Rate > 4 {
			t.Errorf("seed %d: %s", seed, c.Words())
		}
	}
}

func TestCallersWithoutABreakerAreSeenToGoOn(t *testing.T) {
	for seed := range uint64(100) {
		w := shop{bad: 2 * time.Second, good: 12 * time.Second, until: 15 * time.Second}
		if c := analyse(w.until, w.run(seed)...).Circuit; c.Kind != callers.CircuitNever || c.Failing.Std() < 9*time.Second {
			t.Errorf("seed %d: %+v", seed, c)
		}
	}
}

// A silence that goes on may be the end of all traffic: only calls that come back show that callers meant it.
func TestASilenceAtTheEndIsNotTakenForABreaker(t *testing.T) {
	w := shop{bad: 2 * time.Second, good: time.Hour, until: 4 * time.Second, breaker: 30, trials: 1, wait: time.Minute}
	if c := analyse(w.until, w.run(1)...).Circuit; c.Kind != callers.CircuitUnknown || !strings.Contains(c.Why, "not come back") {
		t.Errorf("%+v", c)
	}
}

func TestNothingIsSaidOfABreakerWhereNothingFails(t *testing.T) {
	w := shop{bad: time.Hour, good: time.Hour, until: 5 * time.Second}
	if c := analyse(w.until, w.run(1)...).Circuit; c.Kind != callers.CircuitUnknown || c.Why == "" {
		t.Errorf("%+v", c)
	}
	if c := analyse(time.Second).Circuit; c.Kind != callers.CircuitUnknown {
		t.Errorf("no calls: %+v", c)
	}
}

// One caller that backs off is silent too, but what comes after is the same request.
func TestBackoffIsNotTakenForABreaker(t *testing.T) {
	var all []callers.Attempt
	at := time.Duration(0)
	for i := range 100 {
		at += 20 * ms
		all = append(all, ok(fmt.Sprint("ok", i), at, ms))
	}
	for k := range 8 {
		at += 50 * ms << k
		all = append(all, fail("slow", at, ms))
	}
	if c := analyse(at, all...).Circuit; c.Kind == callers.CircuitOpens {
		t.Errorf("%+v", c)
	}
}
