package registry_test

import (
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"testing"
	"time"

	"mishap/internal/forward"
	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/registry"
	"mishap/internal/slots"
)

// counting are arms that count failures, a p50 and events.
func counting(change ...func(*fault.Counts)) fault.Arms {
	c := &fault.Counts{Rows: []fault.CountRow{{Name: "ok", Of: fault.OfFailures}, {Name: "p50", Of: fault.OfSlow}, {Name: "paid", Of: fault.OfEvents}}}
	for _, f := range change {
		f(c)
	}
	return fault.Arms{Counts: c}
}

// sums is a row of both arms: of control and of the experiment n, y and before n, y.
func (l ledger) sums(at time.Duration, row string) (c, e [4]float64) {
	counted := l.Report(0, l.start.Add(at)).Counted
	r, ok := counted.Sums.Row(row)
	if !ok {
		return [4]float64{-1}, [4]float64{-1}
	}
	return four(r.Control), four(r.Experiment)
}

func four(s slots.Side) [4]float64 {
	return [4]float64{s.Since.N, s.Since.Y, s.Before.N, s.Before.Y}
}

func (l ledger) injecting(t *testing.T, at, now time.Duration) {
	t.Helper()
	if _, err := l.Inject(l.start.Add(at), l.start.Add(now)); err != nil {
		t.Fatal(err)
	}
}

func (l ledger) limits(t *testing.T, row string, control, experiment time.Duration) {
	t.Helper()
	if err := l.Limit([]registry.Threshold{{Row: row, Control: fault.Duration(control), Experiment: fault.Duration(experiment)}}); err != nil {
		t.Fatal(err)
	}
}

func TestEveryAttemptOfAUnitIsCounted(t *testing.T) {
	l := newLedger(counting())
	l.limits(t, "p50", 10*ms, 12*ms)
	for range 3 { // a user who tries again at once
		l.serve(forward.Control, 1, 10*ms, 3*ms, 503)
	}
	l.serve(forward.Experiment, 2, 20*ms, 11*ms, 200)
	l.injecting(t, 400*ms, 400*ms)
	for range 4 {
		l.serve(forward.Experiment, 2, 500*ms, 13*ms, 200)
		l.serve(forward.Control, 1, 500*ms, 11*ms, 503)
	}
	l.serve(forward.Control, 1, 510*ms, 11*ms, 200)
	for row, want := range map[string][2][4]float64{
		"ok":         {{5, 4, 3, 3}, {4, 0, 1, 0}},
		"p50":        {{1, 1, 0, 0}, {4, 4, 1, 1}},
		"p50 change": {{1, 0, 0, 0}, {4, 4, 1, 1}},
		"paid":       {{1, 1, 1, 0}, {1, 4, 1, 1}},
	} {
		if c, e := l.sums(time.Second, row); c != want[0] || e != want[1] {
			t.Errorf("%s: control %v, experiment %v, want %v", row, c, e, want)
		}
	}
	s := l.Report(0, l.start.Add(time.Second)).Counted.Sums
	if r, _ := s.Row("ok"); r.Control.Since.NN != 25 || r.Control.Since.YY0 != 12 || len(r.Control.Few) != 1 {
		t.Errorf("products of control %+v", r.Control)
	}
	if s.Trials != "eC" && s.Trials != "Ce" || !s.UpTo.Equal(l.start.Add(time.Second)) {
		t.Errorf("first requests %q, up to %v", s.Trials, s.UpTo.Sub(l.start))
	}
	if more := l.ReportFrom(0, 1, l.start.Add(time.Second)).Counted.Sums; more.TrialsFrom != 1 || len(more.Trials) != 1 {
		t.Errorf("after the first: %q from %d", more.Trials, more.TrialsFrom)
	}
}

// TestAThresholdIsExactToTheMicrosecond: no bin decides.
func TestAThresholdIsExactToTheMicrosecond(t *testing.T) {
	l := newLedger(counting())
	l.serve(forward.Control, 1, 0, 50*ms, 200) // in a bucket that is closed before the thresholds are told
	l.at(width)
	l.limits(t, "p50", 20*ms, 5*time.Second)
	for i, took := range []time.Duration{20 * ms, 20*ms + time.Microsecond, 21 * ms} {
		l.serve(forward.Control, uint64(i), width, took, 200)
	}
	slow := l.come(forward.Experiment, 9, width)
	l.Answered(slow, answer(200, ms)) // and goes on beyond patience
	l.serve(forward.Experiment, 9, width, 2*time.Second, 200)
	if c, e := l.sums(4*time.Second, "p50"); c != [4]float64{0, 0, 3, 2} || e != [4]float64{0, 0, 2, 2} {
		t.Errorf("baseline: control %v, experiment %v", c, e)
	}
	l.injecting(t, 4*time.Second, 4*time.Second)
	slow = l.come(forward.Experiment, 9, 4*time.Second)
	l.Answered(slow, answer(200, ms))
	l.serve(forward.Experiment, 9, 4*time.Second, 2*time.Second, 200)
	if _, e := l.sums(8*time.Second, "p50"); e != [4]float64{2, 1, 2, 2} {
		t.Errorf("a threshold beyond patience is not patience: %v", e)
	}
}

// TestARowWithoutAThresholdHoldsUpNoOther: a quantile that can only stop a run is left out by a run with too few answers.
func TestARowWithoutAThresholdHoldsUpNoOther(t *testing.T) {
	l := newLedger(counting(func(c *fault.Counts) { c.Rows = append(c.Rows, fault.CountRow{Name: "p99.9", Of: fault.OfSlow}) }))
	l.limits(t, "p50", 10*ms, 12*ms)
	l.serve(forward.Control, 1, 0, 11*ms, 200)
	for row, want := range map[string][4]float64{"p50": {0, 0, 1, 1}, "p99.9": {}} {
		if c, _ := l.sums(3*width, row); c != want {
			t.Errorf("%s: %v, want %v", row, c, want)
		}
	}
}

func TestTheInjectionDividesWhatIsCounted(t *testing.T) {
	for name, c := range map[string]struct {
		told, now time.Duration // of the injection
		want      [4]float64    // of control, one request every 100 ms from 0 on that takes 1 ms, and of 10 s
	}{
		"told at once":                           {5 * time.Second, 5 * time.Second, [4]float64{50, 0, 50, 0}},
		"within a bucket":                        {5*time.Second + 50*ms, 5*time.Second + 60*ms, [4]float64{49, 0, 51, 0}},
		"a clock that is ahead makes nothing":    {7 * time.Second, 5 * time.Second, [4]float64{50, 0, 50, 0}},
		"what is counted as baseline remains so": {3 * time.Second, 5 * time.Second, [4]float64{50, 0, 50, 0}},
	} {
		l := newLedger(counting())
		told := false
		for at := time.Duration(0); at < 10*time.Second; at += 100 * ms {
			if !told && at >= c.now {
				told = true
				l.injecting(t, c.told, c.now)
			}
			l.serve(forward.Control, 1, at, ms, 200)
		}
		if got, _ := l.sums(10*time.Second, "ok"); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestWhatIsUnderWayWhenTheFaultComesIsOfNeitherTime: it may have met the fault, and came without.
func TestWhatIsUnderWayWhenTheFaultComesIsOfNeitherTime(t *testing.T) {
	l := newLedger(counting())
	a := l.come(forward.Experiment, 1, 950*ms)
	l.serve(forward.Experiment, 1, 960*ms, 5*ms, 200)
	l.injecting(t, time.Second, time.Second)
	l.End(a, answer(503, 100*ms))
	if _, e := l.sums(2*time.Second, "ok"); e != [4]float64{0, 0, 1, 0} {
		t.Errorf("experiment %v", e)
	}
	if n := l.Report(0, l.start.Add(2*time.Second)).Counted.UnderWay; n != (registry.PerArm{Experiment: 1}) {
		t.Errorf("under way %+v", n)
	}
}

func TestNoAnswerWithinPatienceIsAFailure(t *testing.T) {
	l := newLedger(counting())
	late := l.come(forward.Control, 1, 150*ms) // whose bucket is open for longer than its patience
	l.Answered(late, answer(200, 2010*ms))
	l.End(late, answer(200, 2020*ms))
	long := l.come(forward.Control, 2, 190*ms)
	l.Answered(long, answer(200, 10*ms))
	l.End(long, &forward.Exchange{Status: 200, GRPC: -1, Head: 10 * ms, Total: 2005 * ms})
	slow := l.come(forward.Control, 3, 160*ms) // and whose answer still goes on when its bucket is closed
	l.Answered(slow, answer(200, 2010*ms))
	if c, _ := l.sums(3*time.Second, "ok"); c != [4]float64{0, 0, 3, 2} {
		t.Errorf("control %v", c)
	}
}

// TestAnswersOfAPartOfTheTrafficAreToldUntilThresholdsAre: of rows that are confined to it, and of what was answered.
func TestAnswersOfAPartOfTheTrafficAreToldUntilThresholdsAre(t *testing.T) {
	l := newLedger(counting(func(c *fault.Counts) {
		c.Rows = []fault.CountRow{{Name: "ok", Of: fault.OfFailures, Path: "/pay*"}, {Name: "p50", Of: fault.OfSlow, Path: "/pay*"}, {Name: "p99", Of: fault.OfSlow, Path: "/pay*"}, {Name: "whole", Of: fault.OfSlow}}
	}))
	serve := func(arm forward.Arm, parts uint32, took time.Duration, status int) {
		a := l.comeOf(arm, 1, 0, parts)
		l.Answered(a, answer(status, took))
		l.End(a, answer(status, took))
	}
	serve(forward.Control, 1, 10*ms, 200)
	serve(forward.Experiment, 1, 10*ms, 200)
	serve(forward.Experiment, 1, 40*ms, 200)
	serve(forward.Experiment, 1, 10*ms, 503)
	serve(forward.Experiment, 0, 10*ms, 200) // of another path
	report := l.Report(0, l.start.Add(4*time.Second))
	var rows []string
	for _, a := range report.Counted.Answers {
		sum, quick := uint64(0), uint64(0)
		for bin, n := range a.Latency {
			if sum += n; bin < len(report.Bounds) && report.Bounds[bin] < 0.02 {
				quick += n
			}
		}
		if rows = append(rows, a.Row); sum != 3 || quick != 2 || len(a.Latency) != len(report.Bounds)+1 {
			t.Errorf("%s has %d answers, %d of them quick", a.Row, sum, quick)
		}
	}
	if !slices.Equal(rows, []string{"p50", "p99"}) {
		t.Errorf("answers of %v", rows)
	}
	var told []registry.Threshold
	for _, row := range []string{"p50", "p99", "whole"} {
		told = append(told, registry.Threshold{Row: row, Control: fault.Duration(ms), Experiment: fault.Duration(ms)})
	}
	if err := l.Limit(told); err != nil {
		t.Fatal(err)
	}
	if all := l.Report(0, l.start.Add(5*time.Second)).Counted.Answers; all != nil {
		t.Errorf("still tells %v", all)
	}
}

// TestABookTakesNoMoreMemoryForMoreUsers: with all that can be counted at once, for a million users.
func TestABookTakesNoMoreMemoryForMoreUsers(t *testing.T) {
	a := counting(func(c *fault.Counts) {
		for i := range 60 {
			c.Rows = append(c.Rows, fault.CountRow{Name: fmt.Sprint(i), Of: fault.OfSlow})
		}
	})
	a.Key = "request" // no user is remembered for what else there is
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
		l.serve(forward.Arm(1+i%2), i*0x9e3779b97f4a7c15, time.Duration(i)*500*time.Microsecond, ms, 200) // 500 s: six windows
	}
	if took := used() - before; took > 20<<20 {
		t.Errorf("%d MB", took>>20)
	}
	if c, _ := l.sums(9*time.Minute, "ok"); c[0] != 500_000 {
		t.Errorf("counted %v", c)
	}
}

// TestWhatNoStatusTellsIsCountedApart: answers of which nobody said what they are, redirects, and those that begin as a
// success and are not whole within patience; and those of which nobody sees what becomes. None of them is a failure by that.
func TestWhatNoStatusTellsIsCountedApart(t *testing.T) {
	type seen struct{ refused, moved, cut, late, sealed, failed float64 }
	end := func(x forward.Exchange) func(l ledger, a *forward.Assignment) {
		return func(l ledger, a *forward.Assignment) {
			if x.Head > 0 {
				l.Answered(a, &forward.Exchange{Status: x.Status, GRPC: -1, Head: x.Head})
			}
			l.End(a, &x)
		}
	}
	of := func(status, grpc int) forward.Exchange {
		return forward.Exchange{Status: status, GRPC: grpc, Head: 5 * ms, Total: 6 * ms}
	}
	left := of(200, -1)
	left.Failure = forward.ClientGone
	gaveUp := of(200, -1)
	gaveUp.Left, gaveUp.Head, gaveUp.Total = 300*ms, 400*ms, 400*ms
	oneWay := gaveUp
	oneWay.Left = 30 * ms
	tunnel := of(http.StatusSwitchingProtocols, -1)
	tooLate, failedLate, packed, packedFailure := of(200, -1), of(500, -1), of(200, -1), of(500, -1)
	tooLate.Head, tooLate.Total = 2100*ms, 2100*ms
	failedLate.Head, failedLate.Total = 2100*ms, 2100*ms
	packed.Sealed, packedFailure.Sealed = true, true
	said := &fault.Success{Status: [][2]int{{200, 499}}}
	named := &fault.Success{Not: &fault.Failing{GRPCStatus: []int{8}}}
	for name, x := range map[string]struct {
		success *fault.Success
		happens func(l ledger, a *forward.Assignment)
		want    seen
	}{
		"200":                                  {nil, end(of(200, -1)), seen{}},
		"404":                                  {nil, end(of(404, -1)), seen{refused: 1}},
		"404, and the file says what it is":    {said, end(of(404, -1)), seen{}},
		"OK of gRPC":                           {nil, end(of(200, 0)), seen{}},
		"RESOURCE_EXHAUSTED":                   {nil, end(of(200, 8)), seen{refused: 1}},
		"RESOURCE_EXHAUSTED, and HTTP is told": {said, end(of(200, 8)), seen{refused: 1}},
		"RESOURCE_EXHAUSTED, and the file says so": {named, end(of(200, 8)), seen{failed: 1}},
		"NOT_FOUND, and the file names what fails": {named, end(of(200, 5)), seen{}},
		"UNAVAILABLE":                         {nil, end(of(200, 14)), seen{failed: 1}},
		"302":                                 {nil, end(of(302, -1)), seen{moved: 1}},
		"304":                                 {nil, end(of(304, -1)), seen{}},
		"the client leaves within the answer": {nil, end(left), seen{cut: 1}},
		"the client gave up before there was one":    {nil, end(gaveUp), seen{failed: 1}},
		"the client ended its side with its request": {nil, end(oneWay), seen{cut: 1}},
		"a tunnel that ends soon":                    {nil, end(tunnel), seen{cut: 1}},
		"a tunnel that stays":                        {nil, func(l ledger, a *forward.Assignment) { l.Answered(a, &tunnel) }, seen{}},
		"an answer that goes on after patience":      {nil, func(l ledger, a *forward.Assignment) { l.Answered(a, answer(200, ms)) }, seen{cut: 1}},
		"a failure that goes on after patience":      {nil, func(l ledger, a *forward.Assignment) { l.Answered(a, answer(500, ms)) }, seen{failed: 1}},
		"no answer at all":                           {nil, func(ledger, *forward.Assignment) {}, seen{failed: 1, late: 1}},
		"an answer soon after patience":              {nil, end(tooLate), seen{failed: 1, late: 1}},
		"a failure soon after patience":              {nil, end(failedLate), seen{failed: 1}},
		"an answer that cannot be looked at":         {nil, end(packed), seen{sealed: 1}},
		"a failure that cannot be looked at":         {nil, end(packedFailure), seen{failed: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLedger(fault.Arms{Counts: &fault.Counts{Success: x.success, Rows: []fault.CountRow{
				{Name: "refused", Of: fault.OfRefused}, {Name: "moved", Of: fault.OfMoved}, {Name: "cut", Of: fault.OfCut}, {Name: "late", Of: fault.OfLate}, {Name: "sealed", Of: fault.OfSealed}, {Name: "failed", Of: fault.OfFailures},
			}}})
			x.happens(l, l.come(forward.Control, 1, 0))
			sums := l.Report(0, l.start.Add(width+fault.ArmsDelay)).Counted.Sums
			y := func(row string) float64 {
				r, _ := sums.Row(row)
				if r.Control.Before.N != 1 {
					t.Errorf("%s is of %g requests", row, r.Control.Before.N)
				}
				return r.Control.Before.Y
			}
			if got := (seen{y("refused"), y("moved"), y("cut"), y("late"), y("sealed"), y("failed")}); got != x.want {
				t.Errorf("%+v, want %+v", got, x.want)
			}
		})
	}
}
