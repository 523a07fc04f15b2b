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
)

const width = 200 * time.Millisecond

// traffic is a source that makes up both arms: so many requests per second
// each, of which so many fail.
type traffic struct {
	mu                  sync.Mutex
	random              *rand.Rand
	next                time.Time
	perArm              float64
	control, experiment float64 // share that fails
	idle                bool    // the experiment gets nothing
	err                 error
}

func newTraffic(perArm, control, experiment float64) *traffic {
	return &traffic{random: rand.New(rand.NewPCG(1, 2)), next: time.Now(), perArm: perArm, control: control, experiment: experiment}
}

func (s *traffic) Delay() time.Duration { return width }

func (s *traffic) Closed(context.Context) ([]analysis.Bucket, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []analysis.Bucket
	for ; s.next.Add(width).Before(time.Now()); s.next = s.next.Add(width) {
		b := analysis.Bucket{Start: s.next, Width: width, Control: s.arm(s.control), Experiment: s.arm(s.experiment)}
		if s.idle {
			b.Experiment = analysis.Arm{}
		}
		all = append(all, b)
	}
	if s.err != nil {
		return nil, s.err
	}
	return all, nil
}

func (s *traffic) arm(fails float64) (a analysis.Arm) {
	for range int(s.perArm * width.Seconds()) {
		a.Requests++
		if s.random.Float64() >= fails {
			a.Successes++
		}
	}
	return a
}

func (s *traffic) change(f func(*traffic)) {
	s.mu.Lock()
	defer s.mu.Unlock()
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
	o.Sources, o.Horizon = []metrics.Source{s}, within
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
	over := time.After(o.Compare.Baseline.AtLeast() + within + time.Minute)
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
		"healthy":    {0.005, mishap.HarmRuledOut, time.Minute, "no harm beyond the margin"},
		"harmed":     {0.10, mishap.HarmShown, 15 * time.Second, "extra failures were counted"},
		"all failed": {1, mishap.HarmShown, 2 * time.Second, "100 % of"},
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
				if l.Metrics[0].Total.Control.Requests == 0 || l.Metrics[0].Difference == nil {
					t.Errorf("last look without totals: %+v", l.Metrics[0])
				}
			})
		})
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
			s.change(func(s *traffic) { s.experiment = 1 }) // also of buckets that are closed, and not asked for yet
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
		traffic *traffic
		change  func(*traffic)
		says    string
	}{
		"no traffic at all":    {newTraffic(0, 0, 0), func(*traffic) {}, "neither arm"},
		"none in one arm":      {newTraffic(50, 0, 0), func(s *traffic) { s.idle = true }, "no traffic in the experiment arm"},
		"too little":           {newTraffic(5, 0.005, 0.005), func(*traffic) {}, "too little traffic for an answer"},
		"arms that differ":     {newTraffic(50, 0.005, 0.3), func(*traffic) {}, "the arms are not alike"},
		"a source without use": {newTraffic(50, 0, 0), func(s *traffic) { s.err = errors.New("connection refused") }, "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tt.traffic.next = time.Now()
				tt.change(tt.traffic)
				spec := successRate()
				spec.Metrics[0].Margin.Difference = 0.005
				looks := watch(t, spec, tt.traffic, time.Minute, func() { t.Error("injected") })
				if l := last(looks); l.Outcome != mishap.Undecided || !strings.Contains(l.Reason, tt.says) {
					t.Errorf("outcome %q: %s", l.Outcome, l.Reason)
				}
			})
		})
	}
}

func TestHarmThatReachesControlTooIsSpillover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTraffic(50, 0.005, 0.005)
		looks := watch(t, successRate(), s, 5*time.Minute, func() {
			s.change(func(s *traffic) { s.control, s.experiment = 0.4, 0.4 })
		})
		if l := last(looks); l.Outcome != mishap.HarmShown || !strings.Contains(l.Reason, "spillover") {
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
	for harmed, want := range map[float64]mishap.ComparisonOutcome{0.005: mishap.Undecided, 0.2: mishap.HarmShown} {
		synctest.Test(t, func(t *testing.T) {
			s := newTraffic(50, 0.005, 0.005)
			spec := successRate()
			spec.Arms.From = mishap.ArmsFromTargets
			looks := watchAs(t, comparison.Options{Compare: spec, Targets: 3}, s, 5*time.Minute, func() {
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

func TestTheForecastComesTrue(t *testing.T) {
	lines, hopeless := comparison.Forecast(successRate(), 10*time.Minute, comparison.Traffic{PerArm: 50, Failures: 0.005})
	if hopeless != "" || len(lines) != 1 || !strings.Contains(lines[0], "2 pp can be ruled out in") {
		t.Errorf("%q, hopeless %q", lines, hopeless)
	}
	if _, hopeless := comparison.Forecast(successRate(), 10*time.Minute, comparison.Traffic{PerArm: 0.1, Failures: 0.005}); !strings.Contains(hopeless, "raise share") {
		t.Errorf("hopeless %q", hopeless)
	}
}
