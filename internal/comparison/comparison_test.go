package comparison_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mishap"
	"mishap/internal/analysis"
	"mishap/internal/comparison"
	"mishap/internal/metrics"
	"mishap/internal/slots"
)

const width = 200 * time.Millisecond

// traffic is a source and a book that makes up both arms: so many requests per second each, by so many users, of which so
// many fail.
type traffic struct {
	mu                  sync.Mutex
	random              *rand.Rand
	next, injected      time.Time
	closed              []analysis.Bucket
	book                *slots.Book
	perArm              float64
	users               int
	control, experiment float64       // share that fails
	slower              time.Duration // by which the experiment is
	idle                bool          // the experiment gets nothing
	err                 error         // of what it tells
	deaf                error         // of what it is told
	counts              error         // of what it counted
	limits              []metrics.Threshold
	other               func(slots.Place) float64     // share of what no metric decides, with the fault
	others              []int                         // the rows that it is counted in
	always              bool                          // in the baseline too
	totals              metrics.Totals                // of all requests since the injection
	answers             map[string]analysis.Histogram // of parts of the requests
	rare                int                           // only one of so many requests meets the fault; 0: nobody knows which
	met, all            [2]mishap.ArmCount
}

func newTraffic(perArm, control, experiment float64) *traffic {
	s := &traffic{random: rand.New(rand.NewPCG(1, 2)), next: time.Now(), perArm: perArm, users: 1000, control: control, experiment: experiment}
	s.book, _ = slots.NewBook(0, []slots.Row{
		{Name: "success-rate"}, {Name: "latency p50"}, {Name: "latency p99.9"}, {Name: "latency p50 change", Whole: true}, {Name: "latency p99.9 change", Whole: true},
		{Name: "success-rate all"}, {Name: "refused of no metric"}, {Name: "failures of no metric"}, {Name: "moved of no metric"}, {Name: "cut of no metric"},
		{Name: "late of no metric"}, {Name: "sealed of no metric"},
	}, s.next)
	return s
}

func (s *traffic) Delay() time.Duration { return width }

func (s *traffic) Closed(context.Context) ([]analysis.Bucket, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	s.advance()
	all := s.closed
	s.closed = nil
	return all, nil
}

// advance makes up what has happened by now.
func (s *traffic) advance() {
	for ; s.next.Add(width).Before(time.Now()); s.next = s.next.Add(width) {
		b := analysis.Bucket{Start: s.next, Width: width, Control: s.arm(slots.Control, s.control), Experiment: s.arm(slots.Experiment, s.experiment)}
		s.book.Close(s.next.Add(width))
		s.closed = append(s.closed, b)
	}
}

func (s *traffic) arm(arm slots.Arm, fails float64) (a analysis.Arm) {
	a.Latency = analysis.Histogram{Bounds: []float64{.01, .02, .04, .08, .16}, Counts: make([]int64, 6)}
	if s.idle && arm == slots.Experiment {
		return a
	}
	for range int(s.perArm * width.Seconds()) {
		place, failed := slots.Place{Arm: arm, Slot: uint32(s.random.IntN(s.users))}, s.random.Float64() < fails
		a.Requests++
		if !failed {
			a.Successes++
		}
		s.count(place, failed, &a)
	}
	return a
}

// count counts one request in its rows, as a proxy does.
func (s *traffic) count(place slots.Place, failed bool, a *analysis.Arm) {
	took := time.Duration(10+s.random.IntN(70)) * time.Millisecond
	if place.Arm == slots.Experiment {
		took += s.slower
	}
	bin := 0
	for !failed && bin < 5 && took.Seconds() > a.Latency.Bounds[bin] {
		bin++
	}
	if failed {
		bin = 5
	}
	a.Latency.Counts[bin]++
	counts := []slots.Count{{Row: 0, N: 1}}
	if failed {
		counts[0].Y = 1
	}
	since := !s.injected.IsZero() && !s.next.Before(s.injected)
	for i, l := range s.limits {
		if failed {
			break
		}
		own, change := l.Control, l.Control
		if since {
			change = l.Experiment
			if place.Arm == slots.Experiment {
				own = l.Experiment
			}
		}
		slow := func(limit time.Duration) uint32 {
			if took > limit {
				return 1
			}
			return 0
		}
		counts = append(counts, slots.Count{Row: 1 + i, N: 1, Y: slow(own)}, slots.Count{Row: 3 + i, N: 1, Y: slow(change)})
	}
	if s.other != nil && (since || s.always) {
		is := uint32(0)
		if s.random.Float64() < s.other(place) {
			is = 1
		}
		for _, row := range s.others {
			counts = append(counts, slots.Count{Row: row, N: 1, Y: is})
		}
	}
	if s.rare > 0 {
		s.book.Add(place, s.next, slots.Count{Row: 5, N: 1, Y: counts[0].Y})
		met := s.random.IntN(s.rare) == 0
		s.meet(place.Arm, since, met)
		if !met {
			return
		}
	}
	s.book.Add(place, s.next, counts...)
	s.book.Trial(place, s.next, failed)
}

func (s *traffic) Counted() (metrics.Counts, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counts != nil {
		return metrics.Counts{}, s.counts
	}
	return metrics.Counts{Sums: s.book.Snapshot(0), Answers: s.answers, Met: s.whoMet(), Since: s.totals}, nil
}

func (s *traffic) SetThresholds(_ context.Context, all []metrics.Threshold) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits = all
	return s.deaf
}

func (s *traffic) Injecting(_ context.Context, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.injected = s.book.Inject(at)
	return s.deaf
}

func (s *traffic) change(f func(*traffic)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.advance()
	}
	f(s)
}

// successRate compares success rates with a margin of two points.
func successRate() mishap.Compare {
	return mishap.Compare{
		Arms: mishap.Arms{From: mishap.ArmsFromRequests}, Baseline: mishap.BaselineTime{Time: mishap.Duration(20 * time.Second)}, Alpha: 0.01,
		Metrics: []mishap.CompareMetric{{Name: "success-rate", Metric: mishap.SuccessRate, Harm: mishap.Decrease, Margin: mishap.Margin{Difference: 0.02}}},
	}
}

// watch runs a comparison, injects when the baseline is over, and gives all
// looks until it decides, or for so long.
func watch(t *testing.T, spec mishap.Compare, s *traffic, within time.Duration, inject func()) []mishap.Comparison {
	t.Helper()
	return watchAs(t, comparison.Options{Compare: spec}, s, within, inject)
}

func watchAs(t *testing.T, o comparison.Options, s *traffic, within time.Duration, inject func()) []mishap.Comparison {
	t.Helper()
	o.Horizon = within
	for range len(o.Compare.Metrics) - len(o.Sources) {
		o.Sources, o.Books = append(o.Sources, s), append(o.Books, s)
	}
	c, err := comparison.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	looks := make(chan mishap.Comparison)
	ended := make(chan bool)
	go func() {
		defer close(ended)
		c.Watch(ctx, func(look mishap.Comparison) {
			select {
			case looks <- look:
			case <-ctx.Done():
			}
		})
	}()
	defer func() { cancel(); <-ended }()
	var all []mishap.Comparison
	over := time.After(o.Compare.Baseline.AtMost() + within + time.Minute)
	for {
		select {
		case look := <-looks:
			all = append(all, look)
			if look.Outcome != "" {
				return all
			}
			if look.Ready {
				inject()
				if err := c.Injecting(ctx, time.Now()); err != nil {
					t.Fatal(err)
				}
			}
		case <-over:
			return all
		}
	}
}

func last(looks []mishap.Comparison) mishap.Comparison { return looks[len(looks)-1] }

func TestAHealthyArmIsClearedAndAHarmedOneAborted(t *testing.T) {
	for name, tt := range map[string]struct {
		harmed  float64
		outcome mishap.ComparisonOutcome
		most    time.Duration // after the injection
		says    string
	}{
		"healthy":    {0.005, mishap.HarmRuledOut, 62 * time.Second, "for 1m: no harm beyond the margins to the"},
		"harmed":     {0.10, mishap.HarmShown, 15 * time.Second, "extra failures were counted"},
		"all failed": {1, mishap.HarmShown, 2 * time.Second, "users' first requests"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newTraffic(50, 0.005, 0.005)
				var injected time.Time
				looks := watch(t, successRate(), s, 5*time.Minute, func() {
					injected = time.Now()
					s.change(func(s *traffic) { s.experiment = tt.harmed })
				})
				l := last(looks)
				if l.Outcome != tt.outcome || !strings.Contains(l.Reason, tt.says) {
					t.Fatalf("outcome %q: %s", l.Outcome, l.Reason)
				}
				if took := time.Since(injected); took > tt.most {
					t.Errorf("it took %s", took)
				}
				if l.Metrics[0].Total.Control.Requests == 0 || l.Metrics[0].Difference == nil || len(l.Intervals.Rows) != 1 {
					t.Errorf("last look without totals: %+v", l.Metrics[0])
				}
				if l.Outcome == mishap.HarmRuledOut && time.Since(injected) < time.Minute {
					t.Errorf("cleared after %s, before atLeast", time.Since(injected))
				}
			})
		})
	}
}

// TestARunThatHeldForLessThanItsLastIncidentTookSaysSo: a clear says nothing of what shows later.
func TestARunThatHeldForLessThanItsLastIncidentTookSaysSo(t *testing.T) {
	for after, says := range map[time.Duration]string{
		0: "", 40 * time.Second: "", 129500 * time.Millisecond: "; but the last incident (run a1) took 2m10s to show, and this was shorter",
	} {
		synctest.Test(t, func(t *testing.T) {
			o := comparison.Options{Compare: successRate(), Incident: comparison.Incident{Run: "a1", After: after}}
			l := last(watchAs(t, o, newTraffic(50, 0.005, 0.005), 5*time.Minute, func() {}))
			if l.Outcome != mishap.HarmRuledOut || !strings.HasSuffix(l.Reason, "(all attempts)"+says) {
				t.Errorf("%s: outcome %q: %s", after, l.Outcome, l.Reason)
			}
		})
	}
	late := comparison.Incident{Run: "a1", After: 129500 * time.Millisecond}
	if text := strings.Join(late.Foretell(time.Minute), "; "); text != "the last incident (run a1) took 2m10s to show, and this run may hold after 1m: write atLeast: 2m10s" {
		t.Error(text)
	}
	if text := late.Foretell(130 * time.Second); text != nil {
		t.Error(text)
	}
}

func TestLooksCoverAllTrafficOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTraffic(50, 0.005, 0.005)
		looks := watch(t, successRate(), s, 5*time.Minute, func() {})
		var requests, told, seconds float64
		for i, l := range looks {
			from, to := l.Span()
			requests += float64(l.Metrics[0].Control.Requests)
			if l.Metrics[0].Control.Requests > 0 {
				told += to.Sub(from).Seconds()
			}
			seconds += l.Width.Std().Seconds()
			if i > 0 && !l.Start.Equal(looks[i-1].Start.Add(looks[i-1].Width.Std())) {
				t.Fatalf("look %d does not begin where the one before ended", i)
			}
		}
		if rate := requests / told; rate < 49.9 || rate > 50.1 {
			t.Errorf("%.1f requests/s in the looks, 50 in the traffic", rate)
		}
		if late := seconds - told; late < 0 || late > 1 { // what began before the fault, and was over with it, and what is not told yet
			t.Errorf("%.1f s are in no look", late)
		}
		if n := len(looks); float64(n) > seconds+5 {
			t.Errorf("%d looks in %.0f s", n, seconds)
		}
	})
}

// TestALookSaysWhenItsRequestsBeganAndMixesNoneFromBeforeTheFault: sources tell late, so that the first look with the fault in
// still gets what began without it.
func TestALookSaysWhenItsRequestsBeganAndMixesNoneFromBeforeTheFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTraffic(50, 0, 0)
		var injected time.Time
		looks := watch(t, successRate(), s, 5*time.Minute, func() {
			injected = time.Now()
			s.change(func(s *traffic) { s.experiment = 1 })
		})
		before := time.Time{}
		for i, l := range looks {
			from, to := l.Span()
			if l.Metrics[0].Control.Requests == 0 {
				continue
			}
			if want := int64(50 * to.Sub(from).Seconds()); l.Metrics[0].Control.Requests != want || from.Before(before) || to.After(l.Start.Add(l.Width.Std())) {
				t.Errorf("look %d from %v to %v has %d requests, want %d", i, from, to, l.Metrics[0].Control.Requests, want)
			}
			before = to
			if l.Phase == mishap.InHold && (from.Before(injected) || l.Metrics[0].Experiment.Successes > 0) {
				t.Errorf("look %d from %v has what began before the fault came at %v", i, from, injected)
			}
		}
		if last(looks).Outcome != mishap.HarmShown {
			t.Error(last(looks).Outcome)
		}
	})
}

func TestABaselineThatPromisesNothingInjectsNothing(t *testing.T) {
	for name, tt := range map[string]struct {
		perArm, control, experiment float64
		change                      func(*traffic)
		says                        string
	}{
		"no traffic at all":     {0, 0, 0, nil, "either arm"},
		"none in one arm":       {50, 0, 0, func(s *traffic) { s.idle = true }, "no traffic: in the baseline the experiment"},
		"too little":            {5, 0.005, 0.005, nil, "too little traffic for an answer"},
		"arms that differ":      {50, 0.005, 0.3, nil, "the arms are not alike"},
		"a source without use":  {50, 0, 0, func(s *traffic) { s.err = errors.New("connection refused") }, "connection refused"},
		"a service that fails":  {50, 1, 1, nil, "fail already"},
		"a proxy of before":     {50, 0, 0, func(s *traffic) { s.counts = metrics.ErrOldProxy }, "earlier version of mishap"},
		"a proxy that was lost": {50, 0, 0, func(s *traffic) { s.counts = metrics.ErrBegunAnew }, "began anew"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newTraffic(tt.perArm, tt.control, tt.experiment)
				if tt.change != nil {
					tt.change(s)
				}
				spec := successRate()
				spec.Metrics[0].Margin.Difference = 0.005
				looks := watch(t, spec, s, time.Minute, func() { t.Error("injected") })
				if l := last(looks); l.Outcome != mishap.Undecided || !strings.Contains(l.Reason, tt.says) {
					t.Errorf("outcome %q: %s", l.Outcome, l.Reason)
				}
			})
		})
	}
}

func TestHarmToBothArmsStopsAndIsNeverCalledHarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTraffic(50, 0.005, 0.005)
		looks := watch(t, successRate(), s, 5*time.Minute, func() {
			s.change(func(s *traffic) { s.control, s.experiment = 0.4, 0.4 })
		})
		if l := last(looks); l.Outcome != mishap.Undecided || !strings.Contains(l.Reason, "both arms got worse") {
			t.Errorf("outcome %q: %s", l.Outcome, l.Reason)
		}
	})
}

func TestASpentBudgetEndsWithoutAVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTraffic(50, 0.05, 0.05)
		spec := successRate()
		spec.Metrics[0].Margin.Difference = 0.05
		spec.StopAfter.ExtraFailures = 4
		looks := watch(t, spec, s, 5*time.Minute, func() {
			s.change(func(s *traffic) { s.experiment = 0.12 })
		})
		if l := last(looks); l.Outcome != mishap.Undecided || !strings.Contains(l.Reason, "budget") {
			t.Errorf("outcome %q: %s", l.Outcome, l.Reason)
		}
	})
}

func TestFewTargetsCanBeStoppedAndAreNeverCleared(t *testing.T) {
	for harmed, want := range map[float64]mishap.ComparisonOutcome{0.005: mishap.Undecided, 1: mishap.HarmShown} {
		synctest.Test(t, func(t *testing.T) {
			s := newTraffic(50, 0.005, 0.005)
			s.users = 10
			spec := successRate()
			spec.Arms.From = mishap.ArmsFromTargets
			looks := watchAs(t, comparison.Options{Compare: spec, Targets: 10}, s, 2*time.Minute, func() {
				s.change(func(s *traffic) { s.experiment = harmed })
			})
			if l := last(looks); l.Outcome != want {
				t.Errorf("outcome %q: %s", l.Outcome, l.Reason)
			}
		})
	}
}

func TestASourceThatGoesMissingIsSaidAndNeverCleared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTraffic(50, 0.005, 0.005)
		looks := watch(t, successRate(), s, 2*time.Minute, func() {
			s.change(func(s *traffic) { s.err = errors.New("connection refused") })
		})
		l := last(looks)
		if l.Outcome != mishap.Undecided {
			t.Errorf("outcome %q: %s", l.Outcome, l.Reason)
		}
		if !strings.Contains(strings.Join(l.Doubts, "; "), "connection refused") {
			t.Errorf("doubts: %q", l.Doubts)
		}
	})
}

func TestTheForecastSaysWhatTheTrafficShows(t *testing.T) {
	spec := successRate()
	spec.Baseline = mishap.AutoBaseline()
	of := func(perArm float64) comparison.Foretold {
		return comparison.Forecast(spec, 10*time.Minute, comparison.Traffic{PerArm: perArm, Failures: 0.005})
	}
	if f := of(50); f.Hopeless != "" || f.Short != "" || len(f.Lines) != 1 || !strings.Contains(f.Lines[0], "2 pp can be ruled out in") {
		t.Errorf("%+v", f)
	}
	if f := of(0.1); !strings.Contains(f.Hopeless, "raise share") || !strings.Contains(f.Short, "lasts 15m at most") || !strings.Contains(f.Short, "requests/s per arm would do") {
		t.Errorf("%+v", f)
	}
}

// TestTheHarmBudgetIsOfAllRequests, whatever part of them is compared.
func TestTheHarmBudgetIsOfAllRequests(t *testing.T) {
	for name, x := range map[string]struct {
		requests, failed mishap.ArmCount
		spent            bool
	}{
		"the experiment fails elsewhere":        {mishap.ArmCount{Control: 1000, Experiment: 1000}, mishap.ArmCount{Control: 5, Experiment: 36}, true},
		"it does, and control asks for nothing": {mishap.ArmCount{Experiment: 1000}, mishap.ArmCount{Experiment: 31}, true},
		"both arms do":                          {mishap.ArmCount{Control: 1000, Experiment: 1000}, mishap.ArmCount{Control: 500, Experiment: 500}, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			s, spec := newTraffic(50, 0.005, 0.005), successRate()
			spec.StopAfter.ExtraFailures, spec.Metrics[0].Path, spec.Metrics[0].Source = 30, "/buy", mishap.ProxySource
			l := last(watch(t, spec, s, 2*time.Minute, func() {
				s.change(func(s *traffic) {
					s.totals = metrics.Totals{Requests: x.requests, Failed: x.failed}
				})
			}))
			if spent := strings.Contains(l.Reason, "the harm budget is spent: about 31 extra failures"); spent != x.spent {
				t.Errorf("%s: outcome %q: %s", name, l.Outcome, l.Reason)
			}
		})
	}
}

// TestTheForecastOfAPartSaysThatItIsOfAll: no proxy knows how many requests are of a part before it is asked to count them.
func TestTheForecastOfAPartSaysThatItIsOfAll(t *testing.T) {
	spec := successRate()
	spec.Metrics[0].Path, spec.Metrics[0].Method = "/buy", "POST"
	f := comparison.Forecast(spec, 10*time.Minute, comparison.Traffic{PerArm: 50, Failures: 0.005})
	if len(f.Lines) == 0 || !strings.HasSuffix(f.Lines[0], "and as many times longer as POST /buy are fewer than all") {
		t.Errorf("%+v", f)
	}
}

// TestABaselineLastsAsLongAsItIsNeeded: at least a minute, and longer where a minute could not show whether both arms changed.
func TestABaselineLastsAsLongAsItIsNeeded(t *testing.T) {
	for name, tt := range map[string]struct {
		perArm      float64
		least, most time.Duration
		margin      float64
		says        string // in the place of an injection
	}{
		"enough traffic":       {50, time.Minute, 62 * time.Second, 0.02, ""},
		"less of it":           {5, 2 * time.Minute, 10 * time.Minute, 0.006, ""},
		"too little, for ever": {5, time.Minute, 62 * time.Second, 0.0005, "too little traffic for a baseline"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, injected := time.Now(), time.Time{}
				spec := successRate()
				spec.Baseline, spec.Metrics[0].Margin.Difference = mishap.AutoBaseline(), tt.margin
				looks := watchAs(t, comparison.Options{Compare: spec, NoFault: true}, newTraffic(tt.perArm, 0.005, 0.005), 90*time.Second, func() { injected = time.Now() })
				if tt.says != "" {
					if l := last(looks); l.Outcome != mishap.Undecided || !strings.Contains(l.Reason, tt.says) || !injected.IsZero() {
						t.Errorf("outcome %q: %s", l.Outcome, l.Reason)
					}
					injected = time.Now()
				}
				if took := injected.Sub(began); took < tt.least || took > tt.most {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}

// TestThresholdsOfALatencyAreFixedInTheFirstQuarterAndTold: only what is counted beyond them decides.
func TestThresholdsOfALatencyAreFixedInTheFirstQuarterAndTold(t *testing.T) {
	for slower, want := range map[time.Duration]mishap.ComparisonOutcome{0: mishap.HarmRuledOut, 60 * time.Millisecond: mishap.HarmShown} {
		synctest.Test(t, func(t *testing.T) {
			s := newTraffic(200, 0.001, 0.001)
			spec := successRate()
			spec.Baseline = mishap.BaselineTime{Time: mishap.Duration(time.Minute)}
			spec.Metrics = []mishap.CompareMetric{{Name: "latency", Metric: mishap.Latency, Harm: mishap.Increase, Margin: mishap.Margin{Ratio: 1.2}, Quantiles: []mishap.Quantile{0.5}}}
			looks := watch(t, spec, s, 5*time.Minute, func() { s.change(func(s *traffic) { s.slower = slower }) })
			l := last(looks)
			if l.Outcome != want {
				t.Errorf("%s slower: outcome %q: %s", slower, l.Outcome, l.Reason)
			}
			if len(s.limits) != 2 || s.limits[0].Row != "latency p50" || s.limits[0].Experiment < s.limits[0].Control*119/100 || s.limits[0].Control < 30*time.Millisecond || s.limits[0].Control > 60*time.Millisecond {
				t.Errorf("thresholds %+v", s.limits)
			}
			if r := l.Intervals.Rows[0]; r.What != "slower, p50" || r.Experiment.Slow <= r.Control.Slow || !r.Clears {
				t.Errorf("row %+v", r)
			}
		})
	}
}

// TestAQuantileBeyondPatienceEndsTheBaseline: the proxy tells no answer from a slower one there, so that the fault would show nothing.
func TestAQuantileBeyondPatienceEndsTheBaseline(t *testing.T) {
	const says = "latency: answers take longer than patience: without a fault p50 lies at 50ms or beyond"
	auto, fixed := mishap.AutoBaseline(), mishap.BaselineTime{Time: mishap.Duration(time.Minute)}
	for name, tt := range map[string]struct {
		patience time.Duration
		source   string
		margin   mishap.Margin
		baseline mishap.BaselineTime
		injects  bool
	}{
		"beyond":                         {50 * time.Millisecond, mishap.ProxySource, mishap.Margin{Ratio: 1.2}, fixed, false},
		"beyond, however long it may be": {50 * time.Millisecond, mishap.ProxySource, mishap.Margin{Ratio: 1.2}, auto, false},
		"within":                         {150 * time.Millisecond, mishap.ProxySource, mishap.Margin{Ratio: 1.2}, fixed, true},
		"of a source without patience":   {50 * time.Millisecond, "prometheus", mishap.Margin{Ratio: 1.2}, fixed, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				spec := successRate()
				spec.Baseline, spec.Patience = tt.baseline, mishap.Duration(tt.patience)
				spec.Metrics = []mishap.CompareMetric{{Name: "latency", Metric: mishap.Latency, Source: tt.source, Harm: mishap.Increase, Margin: tt.margin, Quantiles: []mishap.Quantile{0.5}}}
				began, injected := time.Now(), false
				l := last(watch(t, spec, newTraffic(200, 0.001, 0.001), 2*time.Minute, func() { injected = true }))
				if injected != tt.injects || !injected && (l.Outcome != mishap.Undecided || !strings.HasPrefix(l.Reason, says)) {
					t.Errorf("injected %t, outcome %q: %s", injected, l.Outcome, l.Reason)
				}
				if took := time.Since(began); !injected && took > tt.baseline.AtLeast()+2*time.Second {
					t.Errorf("it was said after %s", took)
				}
			})
		})
	}
}

// TestBooksAndAnalysisCallRowsAlike, whatever quantiles a file may name, and agree on which have to be cleared.
func TestBooksAndAnalysisCallRowsAlike(t *testing.T) {
	for _, text := range []string{"p1", "p12.345", "p50", "p99", "p99.9", "p99.95", "p99.999"} {
		var q mishap.Quantile
		if err := q.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		m := mishap.CompareMetric{Name: "m", Metric: mishap.Latency, Margin: mishap.Margin{Ratio: 1.2}, Quantiles: []mishap.Quantile{q}}
		c, err := analysis.New(analysis.Plan{Metrics: []analysis.Metric{{Name: "m", Kind: analysis.Latency, Margin: analysis.Margin{Ratio: 1.2}, Quantiles: []float64{float64(q)}}}})
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		clears := map[string]bool{}
		for _, r := range c.Status(time.Now()).Rows {
			clears[analysis.RowName(r.Metric, r.Quantile)] = r.Clears
		}
		for _, r := range m.CountedRows() {
			if told, there := clears[r.Name]; !there || told != r.Clears || len(clears) != len(m.CountedRows()) {
				t.Errorf("%s: books have %+v, the analysis %v", text, r, clears)
			}
		}
	}
}

// TestThresholdsOfAPathAreReadOffItsAnswers: those to other requests say nothing of them.
func TestThresholdsOfAPathAreReadOffItsAnswers(t *testing.T) {
	slow := analysis.Histogram{Bounds: []float64{.01, .02, .04, .08, .16}, Counts: []int64{0, 0, 0, 0, 5000, 0}}
	for name, answers := range map[string]map[string]analysis.Histogram{"told": {"latency p50": slow, "latency p99.9": slow}, "not told": nil} {
		synctest.Test(t, func(t *testing.T) {
			s, injected := newTraffic(200, 0.001, 0.001), false
			s.answers = answers
			spec := successRate()
			spec.Baseline = mishap.BaselineTime{Time: mishap.Duration(time.Minute)}
			spec.Metrics = []mishap.CompareMetric{{Name: "latency", Metric: mishap.Latency, Harm: mishap.Increase, Margin: mishap.Margin{Ratio: 1.2}, Quantiles: []mishap.Quantile{0.5}, Path: "/slow"}}
			l := last(watch(t, spec, s, time.Minute, func() { injected = true }))
			switch {
			case answers == nil && (injected || l.Outcome != mishap.Undecided || !strings.Contains(l.Reason, "0 answers, and p50 needs 10")):
				t.Errorf("%s: injected %v, outcome %q: %s", name, injected, l.Outcome, l.Reason)
			case answers != nil && (len(s.limits) != 2 || s.limits[0].Control < 100*time.Millisecond || s.limits[0].Control > 130*time.Millisecond):
				t.Errorf("%s: thresholds %+v", name, s.limits)
			}
		})
	}
}

// TestWhatIsOnlyKnownInTotalDecidesNothing: it is shown, and keeps nobody from an answer.
func TestWhatIsOnlyKnownInTotalDecidesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, totals := newTraffic(50, 0.005, 0.005), newTraffic(50, 0, 0.9)
		spec := successRate()
		spec.Metrics = append(spec.Metrics, mishap.CompareMetric{Name: "orders", Metric: mishap.SuccessRate, Harm: mishap.Decrease, Margin: mishap.Margin{Difference: 0.01}})
		o := comparison.Options{Compare: spec, Sources: []metrics.Source{s, totals}, Books: []comparison.Book{s, nil}}
		l := last(watchAs(t, o, nil, 5*time.Minute, func() {}))
		if l.Outcome != mishap.HarmRuledOut || !strings.Contains(strings.Join(l.Doubts, "; "), "of orders only the totals") || !strings.Contains(strings.Join(l.Intervals.Unclaimed, "; "), "orders: only totals") {
			t.Errorf("outcome %q: %s; doubts %q", l.Outcome, l.Reason, l.Doubts)
		}
		o = comparison.Options{Compare: spec, Sources: []metrics.Source{s, totals}, Books: []comparison.Book{nil, nil}}
		if l := last(watchAs(t, o, nil, time.Minute, func() { t.Error("injected") })); l.Outcome != mishap.Undecided || !strings.Contains(l.Reason, "nothing can be decided") || !strings.Contains(l.Reason, "; label them with mishap.slot of the baggage, and write unit: slot") {
			t.Errorf("without any units: outcome %q: %s", l.Outcome, l.Reason)
		}
	})
}
