package registry_test

import (
	"maps"
	"runtime"
	"strings"
	"testing"
	"time"

	"mishap/internal/forward"
	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/registry"
)

func exposed(c *fault.Counts) { c.Exposed = true }

// passing is a request that is over, and the id that it had.
func (l ledger) passing(arm forward.Arm, unit uint64, at, took time.Duration, status int) (id string) {
	a, x := l.come(arm, unit, at), answer(status, took)
	id = l.ID(a)
	l.Answered(a, x)
	l.End(a, x)
	return id
}

// meet tells the book at a time, and that all is told up to a bucket.
func (l ledger) meet(at time.Duration, through uint64, ids ...string) registry.Joined {
	return l.Meet(through, l.start.Add(at), ids...)
}

// TestWhatCameBeforeTheFaultWasInForceDidNotMeetIt, of either arm, until it comes again; in the baseline it would have.
func TestWhatCameBeforeTheFaultWasInForceDidNotMeetIt(t *testing.T) {
	l := newLedger(counting(exposed))
	early := func(ids ...string) (list []string) {
		for _, id := range ids {
			list = append(list, fault.Early+id)
		}
		return list
	}
	usual := l.passing(forward.Control, 1, 10*ms, 3*ms, 200)
	l.meet(width, 1, early(usual)...)
	l.injecting(t, 2*width, 2*width)
	control, once, twice := l.passing(forward.Control, 2, 2*width, 3*ms, 200), l.passing(forward.Experiment, 3, 2*width, 3*ms, 200), l.passing(forward.Experiment, 4, 2*width, 3*ms, 503)
	l.meet(3*width, 3, early(control, once, twice)...)
	if c, e := l.sums(3*width, "ok"); c != [4]float64{0, 0, 1, 0} || e != [4]float64{} {
		t.Errorf("before it is in force: control %v, experiment %v", c, e)
	}
	j := l.meet(3*width, 3, twice, twice, fault.Early+twice, usual)
	if c, e := l.sums(3*width, "ok"); c != [4]float64{0, 0, 1, 0} || e != [4]float64{1, 1, 0, 0} {
		t.Errorf("control %v, experiment %v", c, e)
	}
	if j.Since.Met != (registry.PerArm{Experiment: 1}) || j.Before.Met != (registry.PerArm{Control: 1}) || j.Foreign+j.Late != 0 {
		t.Errorf("joined %+v", j)
	}
}

func TestOnlyWhatMetTheFaultIsInRowsAndAllIsBesideThem(t *testing.T) {
	l := newLedger(counting(exposed))
	l.limits(t, "p50", 10*ms, 12*ms)
	met := []string{
		l.passing(forward.Control, 1, 10*ms, 11*ms, 200),
		l.passing(forward.Experiment, 2, 20*ms, 3*ms, 200),
	}
	l.passing(forward.Control, 1, 30*ms, 3*ms, 503)
	if j := l.meet(width, 0); j.Over != 1 || j.Through != 0 {
		t.Fatalf("before it is told: %+v", j)
	}
	if c, _ := l.sums(width, "ok"); c != [4]float64{} {
		t.Errorf("it is counted before anybody told: %v", c)
	}
	if c, _ := l.sums(width, "ok all"); c != [4]float64{0, 0, 2, 1} {
		t.Errorf("all requests wait to be told of: %v", c)
	}
	l.meet(width, 1, met...)
	l.injecting(t, 2*width, 2*width)
	met = []string{
		l.passing(forward.Experiment, 2, 2*width, 13*ms, 200),
		l.passing(forward.Experiment, 3, 2*width, 3*ms, 503),
		l.passing(forward.Control, 1, 2*width, 3*ms, 200),
	}
	l.passing(forward.Control, 1, 2*width, 3*ms, 503)
	l.passing(forward.Experiment, 4, 2*width, 3*ms, 503)
	j := l.meet(3*width, 3, met...)
	if want := (registry.MetOf{Met: registry.PerArm{Control: 1, Experiment: 2}, Of: registry.PerArm{Control: 2, Experiment: 3}}); j.Since != want {
		t.Errorf("since %+v, want %+v", j.Since, want)
	}
	if want := (registry.MetOf{Met: registry.PerArm{Control: 1, Experiment: 1}, Of: registry.PerArm{Control: 2, Experiment: 1}}); j.Before != want {
		t.Errorf("before %+v, want %+v", j.Before, want)
	}
	for row, want := range map[string][2][4]float64{
		"ok":             {{1, 0, 1, 0}, {2, 1, 1, 0}},
		"ok all":         {{2, 1, 2, 1}, {3, 2, 1, 0}},
		"p50":            {{1, 0, 1, 1}, {1, 1, 1, 0}},
		"p50 all":        {{1, 0, 1, 1}, {1, 1, 1, 0}},
		"p50 change":     {{1, 0, 1, 1}, {1, 1, 1, 0}},
		"p50 change all": {{1, 0, 1, 1}, {1, 1, 1, 0}},
		"paid":           {{1, 1, 1, 1}, {2, 1, 1, 1}},
		"paid all":       {{1, 1, 1, 1}, {3, 1, 1, 1}},
	} {
		if c, e := l.sums(3*width, row); c != want[0] || e != want[1] {
			t.Errorf("%s: control %v, experiment %v, want %v", row, c, e, want)
		}
	}
	s := l.Report(0, l.start.Add(3*width)).Counted.Sums
	if len(s.Trials) != 3 || strings.Count(s.Trials, "E") != 1 || strings.Count(s.Trials, "e") != 1 || strings.Count(s.Trials, "c") != 1 {
		t.Errorf("the first requests of those that met it: %q", s.Trials)
	}
	if !s.UpTo.Equal(l.start.Add(3 * width)) {
		t.Errorf("up to %v", s.UpTo.Sub(l.start))
	}
}

// TestARequestIsJoinedOnceWhenItMatters: by its id, and only if it is of these arms, and in time.
func TestARequestIsJoinedOnceWhenItMatters(t *testing.T) {
	l := newLedger(counting(exposed))
	other := newLedger(counting(exposed)) // an edge that was started anew gives the same marks
	l.injecting(t, 0, 0)
	one := l.passing(forward.Control, 1, 0, ms, 200)
	elsewhere := other.passing(forward.Control, 1, 0, ms, 200)
	slow := l.come(forward.Control, 2, 10*ms)
	early := l.ID(slow)
	check := func(what string, j registry.Joined, met, told, late, foreign uint64) {
		t.Helper()
		if j.Since.Met.Control != met || j.Told != told || j.Late != late || j.Foreign != foreign || j.Failed != "" {
			t.Errorf("%s: %+v", what, j)
		}
	}
	check("told while it goes on", l.meet(20*ms, 0, early), 0, 1, 0, 0)
	l.End(slow, answer(503, 50*ms))
	check("of another edge, forged, cut, or no id at all", l.meet(width, 1, elsewhere, "0.000000", one[:len(one)-1], "+"+one, strings.ToUpper(one)+"x", "", "zzzzzzzzzzzzz.zzzzzz"), 1, 8, 0, 7)
	check("what a service does after its answer", l.meet(width+ms, 1, one), 2, 9, 0, 7)
	check("doubled", l.meet(width+ms, 1, one, one, early), 2, 12, 0, 7)
	check("later than patience", l.meet(width+2*time.Second, 1, l.passing(forward.Control, 3, width+2*time.Second, ms, 200), one), 2, 14, 1, 7)
	if c, _ := l.sums(3*time.Second, "ok"); c != [4]float64{2, 1, 0, 0} {
		t.Errorf("counted %v", c)
	}
}

// TestThresholdsAreReadOffAnswersThatWouldHaveMetTheFault: of a part of the traffic, and of all of it.
func TestThresholdsAreReadOffAnswersThatWouldHaveMetTheFault(t *testing.T) {
	l := newLedger(counting(exposed, func(c *fault.Counts) {
		c.Rows = []fault.CountRow{{Name: "p50", Of: fault.OfSlow}, {Name: "p50 of pay", Of: fault.OfSlow, Path: "/pay*"}}
	}))
	serve := func(parts uint32) string {
		a := l.comeOf(forward.Control, 1, 0, parts)
		l.Answered(a, answer(200, 3*ms))
		l.End(a, answer(200, 3*ms))
		return l.ID(a)
	}
	met := []string{serve(0), serve(1)}
	serve(1)
	serve(1)
	l.meet(width, 1, met...)
	got := map[string]uint64{}
	for _, a := range l.Report(0, l.start.Add(width)).Counted.Answers {
		for _, n := range a.Latency {
			got[a.Row] += n
		}
	}
	if want := map[string]uint64{"p50": 2, "p50 of pay": 1, "p50 of pay all": 3}; !maps.Equal(got, want) {
		t.Errorf("answers %v, want %v", got, want)
	}
}

// TestFewUsersThatMetTheFaultAreWeighedOneByOne, however many did not.
func TestFewUsersThatMetTheFaultAreWeighedOneByOne(t *testing.T) {
	l := newLedger(counting(exposed))
	l.injecting(t, 0, 0)
	var met []string
	for user := range uint64(1000) {
		id := l.passing(forward.Experiment, user*0x9e3779b97f4a7c15, 0, ms, 200)
		if user%100 == 0 {
			met = append(met, id)
		}
	}
	l.meet(width, 1, met...)
	s := l.Report(0, l.start.Add(width)).Counted.Sums
	if r, _ := s.Row("ok"); len(r.Experiment.Few) != 10 {
		t.Errorf("%d of 10 are told", len(r.Experiment.Few))
	}
	if r, _ := s.Row("ok all"); r.Experiment.Few != nil || r.Experiment.Since.N != 1000 {
		t.Errorf("of all: %d of %v", len(r.Experiment.Few), r.Experiment.Since.N)
	}
}

// TestAFutureBucketIsNotTold: whoever says so is wrong.
func TestAFutureBucketIsNotTold(t *testing.T) {
	l := newLedger(counting(exposed))
	if j := l.meet(3*width, 1<<60); j.Through != 3 || j.Over != 3 {
		t.Errorf("%+v", j)
	}
	if j := l.meet(3*width, 1); j.Through != 3 {
		t.Errorf("what was told is taken back: %+v", j)
	}
}

// TestRequestsUnderWayAtTheInjectionAreOfNeitherTime, also if they met the fault.
func TestRequestsUnderWayAtTheInjectionAreOfNeitherTime(t *testing.T) {
	l := newLedger(counting(exposed))
	a := l.come(forward.Experiment, 1, 100*ms)
	l.injecting(t, 150*ms, 150*ms)
	id := l.ID(a)
	l.End(a, answer(200, 90*ms))
	if j := l.meet(width, 1, id); j.Before != (registry.MetOf{}) || j.Since != (registry.MetOf{}) {
		t.Errorf("%+v", j)
	}
	if _, e := l.sums(width, "ok"); e != [4]float64{} {
		t.Errorf("counted %v", e)
	}
}

// TestWhatIsNotToldInTimeIsSaidForGood: bounds are kept, and the join fails with a reason.
func TestWhatIsNotToldInTimeIsSaidForGood(t *testing.T) {
	t.Run("too many requests", func(t *testing.T) {
		l := newLedger(counting(exposed))
		first := l.passing(forward.Control, 1, 0, ms, 200)
		for i := range uint64(registry.MaxJoin + 2000) {
			l.serve(forward.Arm(1+i%2), i, width+time.Duration(i)*20*time.Microsecond, ms, 200)
		}
		j := l.meet(10*time.Second, 1, first)
		if !strings.Contains(j.Failed, "did not tell in time") || j.Late != 1 || j.Through == 0 {
			t.Errorf("%+v", j)
		}
		if again := l.meet(10*time.Second, j.Over); again.Failed != j.Failed || again.Through != again.Over {
			t.Errorf("then %+v", again)
		}
	})
	t.Run("nobody for long", func(t *testing.T) {
		l := newLedger(counting(exposed))
		l.passing(forward.Control, 1, 0, ms, 200)
		j := l.meet(time.Hour, 0)
		if !strings.Contains(j.Failed, "did not tell in time") || j.Through != j.Over-uint64(registry.KeptBuckets) {
			t.Errorf("%+v", j)
		}
	})
	t.Run("nothing came for long", func(t *testing.T) {
		l := newLedger(counting(exposed))
		l.meet(width, 1, l.passing(forward.Control, 1, 0, ms, 200))
		if j := l.meet(time.Hour, 0); j.Failed != "" {
			t.Errorf("nothing is missing: %+v", j)
		}
		if j := l.meet(time.Hour, 1<<40); j.Through != j.Over || j.Before.Met.Control != 1 {
			t.Errorf("%+v", j)
		}
	})
}

// TestKeptRequestsTakeNoMoreMemoryForMoreUsers: with the rows of a usual comparison, and a run that tells nothing.
func TestKeptRequestsTakeNoMoreMemoryForMoreUsers(t *testing.T) {
	a := counting(exposed, latencies)
	a.Key = "request"
	used := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := used()
	l := newLedger(a)
	l.injecting(t, 0, 0)
	for i := range uint64(1_000_000) {
		l.serve(forward.Arm(1+i%2), i*0x9e3779b97f4a7c15, time.Duration(i)*500*time.Microsecond, ms, 200)
	}
	if took := used() - before; took > 20<<20 {
		t.Errorf("%d MB", took>>20)
	} else {
		t.Logf("%.1f MB", float64(took)/(1<<20))
	}
	runtime.KeepAlive(l)
}
