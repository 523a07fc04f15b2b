package callers_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"mishap/internal/callers"
)

const ms = time.Millisecond

func fail(id string, start, total time.Duration) callers.Attempt {
	return callers.Attempt{ID: id, Source: "a", Start: start, Head: total, Total: total, Outcome: callers.Failed, Status: 503}
}

func ok(id string, start, total time.Duration) callers.Attempt {
	a := fail(id, start, total)
	a.Outcome, a.Status = callers.OK, 200
	return a
}

func analyse(until time.Duration, attempts ...callers.Attempt) callers.Behaviour {
	return callers.Analyse(callers.Seen{Attempts: attempts, Until: until}).All
}

func TestTooFewRequestsAreNotJudgedAndTheReasonSaysSo(t *testing.T) {
	w := plain()
	w.requests = 39
	b := callers.Analyse(simulate(1, w, constant(100))).All
	if b.Backoff.Kind != callers.Unknown || b.Jitter.Kind != callers.JitterUnknown || !strings.Contains(b.Backoff.Why, "39 requests") {
		t.Errorf("%+v %+v", b.Backoff, b.Jitter)
	}
	w.requests, w.attempts = 400, 3
	if b := callers.Analyse(simulate(1, w, constant(100))).All; b.Backoff.Kind != callers.Unknown || b.Requests.Mean != 3 {
		t.Errorf("%s: %+v", b.Summary(), b.Backoff)
	}
}

func TestWithoutIDsOnlyTotalsAreJudged(t *testing.T) {
	var all []callers.Attempt
	for i := range 100 { // 10 per second that succeed, then 40 per second that fail
		all = append(all, ok("", time.Duration(i)*100*ms, ms))
	}
	for i := range 400 {
		all = append(all, fail("", 10*time.Second+time.Duration(i)*25*ms, ms))
	}
	r := callers.Analyse(callers.Seen{Attempts: all, Until: 20 * time.Second})
	b := r.All
	if b.Load == nil || b.Load.Ratio != 4 || b.Backoff.Kind != callers.Unknown || b.Requests.N != 0 {
		t.Errorf("%+v %+v", b.Load, b.Backoff)
	}
	if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "only totals") {
		t.Errorf("notes %q", r.Notes)
	}
}

func TestOfATraceACallAfterSuccessIsAnotherRequest(t *testing.T) {
	a := []callers.Attempt{fail("t", 0, ms), ok("t", 10*ms, ms), ok("t", 20*ms, ms)}
	if b := analyse(time.Second, a...); b.Requests.N != 1 || b.Requests.Max != 3 {
		t.Errorf("an id of its own: %+v", b.Requests)
	}
	for i := range a {
		a[i].Loose = true
	}
	if b := analyse(time.Second, a...); b.Requests.N != 2 || b.Requests.Max != 2 {
		t.Errorf("a trace: %+v", b.Requests)
	}
}

func TestAttemptsSideBySideHaveNoPauses(t *testing.T) {
	var all []callers.Attempt
	for i := range 50 {
		id, at := fmt.Sprint(i), time.Duration(i)*100*ms
		for k := range 4 {
			all = append(all, fail(id, at+time.Duration(k)*10*ms, 50*ms))
		}
	}
	b := analyse(time.Minute, all...)
	if b.Requests.Parallel != 50 || b.Backoff.Kind != callers.Unknown || !strings.Contains(b.Backoff.Why, "side by side") {
		t.Errorf("%+v %+v", b.Requests, b.Backoff)
	}
}

func TestCallersThatKeepTheirPausesAreNotTakenForJitter(t *testing.T) {
	a, b := simulate(1, plain(), constant(50)), simulate(2, plain(), constant(150))
	for i := range b.Attempts {
		b.Attempts[i].ID = "b" + b.Attempts[i].ID
	}
	a.Attempts = append(a.Attempts, b.Attempts...)
	a.Until = max(a.Until, b.Until)
	if j := callers.Analyse(a).All.Jitter; j.Kind != callers.JitterUnknown || !strings.Contains(j.Why, "mixed") {
		t.Errorf("%+v", j)
	}
	double := func(d float64, seed uint64) callers.Seen { return simulate(seed, plain(), exponential(d, 2, none)) }
	c, d := double(50, 3), double(150, 4)
	for i := range d.Attempts {
		d.Attempts[i].ID = "d" + d.Attempts[i].ID
	}
	c.Attempts, c.Until = append(c.Attempts, d.Attempts...), max(c.Until, d.Until)
	if j := callers.Analyse(c).All.Jitter; j.Kind != callers.JitterUnknown || !strings.Contains(j.Why, "mixed") {
		t.Errorf("exponential: %+v", j)
	}
	for i := range b.Attempts {
		a.Attempts[len(a.Attempts)-1-i].Source = "b"
	}
	r := callers.Analyse(a)
	if len(r.Sources) != 2 || r.Sources[0].Jitter.Kind != callers.JitterAbsent || r.Sources[1].Backoff.Kind != callers.Constant {
		t.Errorf("%+v", r.Sources)
	}
}

func TestTheEstimatesAreNearWhatWasConfigured(t *testing.T) {
	w := plain()
	w.requests, w.attempts = 200, 7
	b := callers.Analyse(simulate(3, w, exponential(50, 2, 400))).All.Backoff
	if b.Factor < 1.9 || b.Factor > 2.1 || b.First.Std() < 48*ms || b.First.Std() > 54*ms || b.Cap.Std() < 398*ms || b.Cap.Std() > 406*ms {
		t.Errorf("%s", b.Words())
	}
	if j := callers.Analyse(simulate(3, w, full(exponential(50, 2, none)))).All.Jitter; j.Form != "full" {
		t.Errorf("full jitter: %+v", j)
	}
	if j := callers.Analyse(simulate(3, w, equal(exponential(50, 2, none)))).All.Jitter; j.Form != "equal" {
		t.Errorf("equal jitter: %+v", j)
	}
	if j := callers.Analyse(simulate(3, w, around(.5, constant(100)))).All.Jitter; j.Spread < .4 || j.Spread > .6 {
		t.Errorf("±50 %%: %+v", j)
	}
	first := func(r *rand.Rand, k int, _ float64) float64 {
		return exponential(50, 2, none)(r, k-1, 0) * float64(min(k-1, 1))
	}
	if b := callers.Analyse(simulate(3, w, first)).All.Backoff; b.Kind != callers.Exponential || !b.AtOnce {
		t.Errorf("a first attempt at once: %+v", b)
	}
}

func TestGivingUpIsSeen(t *testing.T) {
	w := plain()
	w.requests = 50
	if e := callers.Analyse(simulate(1, w, constant(50))).All.Requests.Ends; e.After != 4 || e.Never {
		t.Errorf("after four attempts: %+v", e)
	}
	w.attempts = 100
	s := simulate(1, w, constant(50))
	s.Until = 3 * time.Second
	var now []callers.Attempt
	for _, a := range s.Attempts {
		if a.Start < s.Until {
			now = append(now, a)
		}
	}
	s.Attempts = now
	if e := callers.Analyse(s).All.Requests.Ends; !e.Never {
		t.Errorf("never: %+v", e)
	}
}

func TestTimeoutsAreTheMomentsAtWhichCallersLeave(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var all []callers.Attempt
	add := func(n int, after time.Duration) {
		for range n {
			a := fail("", time.Duration(r.Int64N(int64(time.Minute))), after+time.Duration(r.Int64N(int64(5*ms))))
			a.Head, a.Outcome = 0, callers.GaveUp
			all = append(all, a)
		}
	}
	add(30, time.Second)
	add(10, 250*ms)
	add(2, 5*time.Second)
	got := analyse(time.Minute, all...).Timeout
	if len(got.Waits) != 2 || got.Waits[0].N != 30 || got.Waits[1].Median.Std().Round(10*ms) != 250*ms || got.GaveUp != 42 {
		t.Errorf("%+v", got)
	}
}

func TestAReportDoesNotDependOnTheOrderOfAttempts(t *testing.T) {
	s := simulate(7, plain(), full(exponential(50, 2, none)))
	want := callers.Analyse(s)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(s.Attempts), func(i, j int) { s.Attempts[i], s.Attempts[j] = s.Attempts[j], s.Attempts[i] })
	if got := callers.Analyse(s); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\n%+v", got, want)
	}
}

// Time has no natural unit: all ten times as slow is the same policy.
func TestSlowerCallersHaveTheSamePolicy(t *testing.T) {
	for _, p := range policies() {
		w := plain()
		p.world(&w)
		s := simulate(5, w, p.policy)
		was := callers.Analyse(s).All
		for i := range s.Attempts {
			a := &s.Attempts[i]
			a.Start, a.Head, a.Total = 10*a.Start, 10*a.Head, 10*a.Total
		}
		s.Until *= 10
		if is := callers.Analyse(s).All; is.Backoff.Kind != was.Backoff.Kind && was.Backoff.Kind != callers.Immediate {
			t.Errorf("%s: %s, and slower %s", p.name, was.Summary(), is.Summary())
		}
	}
}

func FuzzAnalyse(f *testing.F) {
	f.Add([]byte("0123456789"), int64(time.Second))
	f.Add([]byte{1, 2, 3, 1, 2, 4, 1, 2, 5, 1, 2, 6, 255, 255, 255, 0}, int64(-5))
	f.Fuzz(func(t *testing.T, data []byte, until int64) {
		s := callers.Seen{Until: time.Duration(until), Connections: until%2 == 0}
		at := time.Duration(0)
		for i := 0; i+3 < len(data); i += 4 {
			at += time.Duration(data[i+1]) * time.Duration(data[i+1]) * 100 * time.Microsecond
			s.Attempts = append(s.Attempts, callers.Attempt{ID: "-abc"[data[i]&3:][:data[i]&1], Loose: data[i]&4 > 0, Source: string('a' + rune(data[i]>>6)),
				Start: at, Head: time.Duration(data[i+2]) * ms, Total: time.Duration(int8(data[i+3])) * ms, Outcome: callers.Outcome(data[i] >> 3 & 3)})
		}
		r := callers.Analyse(s)
		if _, err := json.Marshal(r); err != nil {
			t.Fatal(err)
		}
		for _, b := range append(r.Sources, r.All) {
			if b.Summary() == "" || b.Timeout.Words() == "" || b.Circuit.Words() == "" {
				t.Errorf("no words: %+v", b)
			}
			_ = b.Requests.Ends.Words()
		}
	})
}
