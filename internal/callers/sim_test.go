package callers_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"mishap/internal/callers"
)

// policy draws the pause before attempt k, from 1, in milliseconds, given the one before.
type policy func(r *rand.Rand, k int, before float64) float64

// world is where simulated callers live.
type world struct {
	requests, attempts int
	some               bool    // requests end after 4 to attempts attempts
	service            float64 // ms of an attempt, on average
	noise              float64 // ms that are added to every pause, on average
	busy               float64 // the share of pauses to which ten times that is added
	deadline           float64 // ms after which a request is given up, if its next pause would pass it
}

// plain is a quiet machine and the least that is judged.
func plain() world {
	return world{requests: 40, attempts: 4, service: 3, noise: 1}
}

// simulate lets requests fail, one begun every 20 ms or so, and gives what a proxy sees.
func simulate(seed uint64, w world, p policy) callers.Seen {
	r := rand.New(rand.NewPCG(seed, 1))
	var s callers.Seen
	begin := 0.0
	ms := func(v float64) time.Duration { return time.Duration(v * float64(time.Millisecond)) }
	for i := range w.requests {
		begin += r.ExpFloat64() * 20
		at, before := begin, 0.0
		n := w.attempts
		if w.some {
			n = 4 + r.IntN(w.attempts-3)
		}
		for k := range n {
			took := w.service * (0.5 + r.ExpFloat64()/2)
			s.Attempts = append(s.Attempts, callers.Attempt{ID: fmt.Sprint(i), Source: "10.0.0.1", Start: ms(at), Head: ms(took * 0.9),
				Total: ms(took), Outcome: callers.Failed, Status: 503})
			before = p(r, k+1, before)
			if w.deadline > 0 && at+took+before > begin+w.deadline {
				break
			}
			extra := r.ExpFloat64() * w.noise
			if r.Float64() < w.busy {
				extra += r.ExpFloat64() * 10 * w.noise
			}
			at += took + before + extra
			s.Until = max(s.Until, ms(at))
		}
	}
	s.Until += time.Minute
	return s
}

func constant(d float64) policy {
	return func(*rand.Rand, int, float64) float64 { return d }
}

// around draws from ±part of a policy.
func around(part float64, p policy) policy {
	return func(r *rand.Rand, k int, b float64) float64 { return p(r, k, b) * (1 + part*(2*r.Float64()-1)) }
}

func full(p policy) policy {
	return func(r *rand.Rand, k int, b float64) float64 { return p(r, k, b) * r.Float64() }
}

func equal(p policy) policy {
	return func(r *rand.Rand, k int, b float64) float64 { return p(r, k, b) * (0.5 + r.Float64()/2) }
}

func plus(width float64, p policy) policy {
	return func(r *rand.Rand, k int, b float64) float64 { return p(r, k, b) + width*r.Float64() }
}

func exponential(d, factor, most float64) policy {
	return func(_ *rand.Rand, k int, _ float64) float64 { return min(most, d*math.Pow(factor, float64(k-1))) }
}

func decorrelated(base, most float64) policy {
	return func(r *rand.Rand, _ int, before float64) float64 {
		before = max(before, base)
		return min(most, base+r.Float64()*(3*before-base))
	}
}

func linear(d, step float64) policy {
	return func(_ *rand.Rand, k int, _ float64) float64 { return d + step*float64(k-1) }
}

const none = math.MaxFloat64

type wanted struct {
	name   string
	policy policy
	world  func(*world)
	kind   callers.BackoffKind
	jitter callers.JitterKind
}

func policies() []wanted {
	same := func(*world) {}
	busy := func(w *world) { w.noise, w.busy, w.service = 2, 0.1, 10 }
	long := func(w *world) { w.attempts = 8 }
	some := func(w *world) { w.attempts, w.some = 7, true }
	return []wanted{
		{"at once", constant(0), same, callers.Immediate, callers.JitterAbsent},
		{"at once, busy", constant(0), busy, callers.Immediate, callers.JitterAbsent},
		{"constant 20", constant(20), same, callers.Constant, callers.JitterAbsent},
		{"constant 50", constant(50), same, callers.Constant, callers.JitterAbsent},
		{"constant 100, busy", constant(100), busy, callers.Constant, callers.JitterAbsent},
		{"constant 1000, busy", constant(1000), busy, callers.Constant, callers.JitterAbsent},
		{"constant 50 long", constant(50), long, callers.Constant, callers.JitterAbsent},
		{"constant 100 ±15", around(0.15, constant(100)), long, callers.Constant, callers.JitterPresent},
		{"constant 100 ±20", around(0.2, constant(100)), same, callers.Constant, callers.JitterPresent},
		{"constant 50 ±50", around(0.5, constant(50)), same, callers.Constant, callers.JitterPresent},
		{"constant 50 full", full(constant(50)), same, callers.Constant, callers.JitterPresent},
		{"constant 100 full", full(constant(100)), long, callers.Constant, callers.JitterPresent},
		{"constant 50 + 0..50, busy", plus(50, constant(50)), busy, callers.Constant, callers.JitterPresent},
		{"exponential 20", exponential(20, 2, none), same, callers.Exponential, callers.JitterAbsent},
		{"exponential 20, busy", exponential(20, 2, none), busy, callers.Exponential, callers.JitterAbsent},
		{"exponential 50 ×1.5", exponential(50, 1.5, none), same, callers.Exponential, callers.JitterAbsent},
		{"exponential 50 ×1.5, busy", exponential(50, 1.5, none), busy, callers.Exponential, callers.JitterAbsent},
		{"exponential 50, cap 200", exponential(50, 2, 200), long, callers.Exponential, callers.JitterAbsent},
		{"exponential 50, cap 100", exponential(50, 2, 100), long, callers.Exponential, callers.JitterAbsent},
		{"exponential 50 ±50 ×1.5", around(0.5, exponential(50, 1.5, none)), same, callers.Exponential, callers.JitterPresent},
		{"exponential 50 ±20 ×1.6", around(0.2, exponential(50, 1.6, none)), some, callers.Exponential, callers.JitterPresent},
		{"exponential 50 full", full(exponential(50, 2, none)), same, callers.Exponential, callers.JitterPresent},
		{"exponential 50 full, busy", full(exponential(50, 2, none)), busy, callers.Exponential, callers.JitterPresent},
		{"exponential 50 full, cap 400", full(exponential(50, 2, 400)), long, callers.Exponential, callers.JitterPresent},
		{"exponential 1000 full", full(exponential(1000, 2, 20000)), some, callers.Exponential, callers.JitterPresent},
		{"exponential 50 equal", equal(exponential(50, 2, none)), same, callers.Exponential, callers.JitterPresent},
		{"exponential 50 equal, cap 400", equal(exponential(50, 2, 400)), long, callers.Exponential, callers.JitterPresent},
		{"exponential 50 + 0..50", plus(50, exponential(50, 2, none)), same, callers.Exponential, callers.JitterPresent},
		{"exponential 50 + 0..50, long", plus(50, exponential(50, 2, none)), func(w *world) { w.attempts = 5 }, callers.Exponential, callers.JitterPresent},
		{"exponential 40 long, busy", exponential(40, 2, none), func(w *world) { busy(w); w.attempts = 5 }, callers.Exponential, callers.JitterAbsent},
		{"decorrelated 50", decorrelated(50, none), same, callers.Exponential, callers.JitterPresent},
		{"decorrelated 50, cap 1000", decorrelated(50, 1000), long, callers.Exponential, callers.JitterPresent},
		{"exponential with a deadline", around(0.5, exponential(20, 1.5, none)), func(w *world) { w.attempts, w.requests, w.deadline = 12, 60, 800 }, callers.Exponential, callers.JitterPresent},
		{"linear 100", linear(100, 100), func(w *world) { w.attempts = 6 }, callers.Linear, callers.JitterAbsent},
		{"linear 50 + 20", linear(50, 20), long, callers.Linear, callers.JitterAbsent},
	}
}

// rounds is how many runs of each policy are simulated; MISHAP_CALLERS_RUNS asks for more.
func rounds() uint64 {
	if n, err := strconv.ParseUint(os.Getenv("MISHAP_CALLERS_RUNS"), 10, 32); err == nil {
		return n
	}
	return 100
}

// Of more than a hundred runs, with other seeds, one in a hundred may be wrong.
func TestEveryPolicyIsToldInAHundredOfAHundredRuns(t *testing.T) {
	for _, p := range policies() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			wrong := uint64(0)
			for seed := range rounds() {
				w := plain()
				p.world(&w)
				b := callers.Analyse(simulate(seed, w, p.policy)).All
				if b.Backoff.Kind != p.kind || b.Jitter.Kind != p.jitter {
					wrong++
					t.Logf("seed %d: %s, spread %.2f", seed, b.Summary(), b.Jitter.Spread)
				}
			}
			if wrong > (rounds()-100)/100 {
				t.Errorf("%d of %d runs are wrong", wrong, rounds())
			}
		})
	}
}
