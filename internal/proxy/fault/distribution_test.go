package fault_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"mishap/internal/proxy/fault"
)

// moments are the mean and the standard deviation of delays, and how much each resembles the one before it.
func moments(delays []time.Duration) (mean, deviation, correlation float64) {
	for _, d := range delays {
		mean += float64(d) / float64(len(delays))
	}
	for i, d := range delays {
		deviation += (float64(d) - mean) * (float64(d) - mean)
		if i > 0 {
			correlation += (float64(d) - mean) * (float64(delays[i-1]) - mean)
		}
	}
	return mean, math.Sqrt(deviation / float64(len(delays))), correlation / deviation
}

func spread(delay, jitter time.Duration, distribution string) fault.Spread {
	return fault.Spread{Delay: fault.Duration(delay), Jitter: fault.Duration(jitter), Distribution: distribution}
}

func TestDistributionsHaveTheirMeanAndDeviation(t *testing.T) {
	const delay, jitter, n = 100 * time.Millisecond, 20 * time.Millisecond, 200_000
	for _, c := range []struct {
		distribution string
		deviation    time.Duration
		lowest       time.Duration
		tolerance    float64 // of the deviation; the fourth moment of pareto is infinite, so that it settles slowly
	}{
		{fault.Uniform, time.Duration(20e6 / math.Sqrt(3)), 80 * time.Millisecond, 0.01},
		{fault.Normal, jitter, 0, 0.01},
		{fault.Pareto, jitter, 88452 * time.Microsecond, 0.3},
		{fault.ParetoNormal, jitter, 0, 0.3},
	} {
		for _, correlation := range []float64{0, 0.5} {
			s := spread(delay, jitter, c.distribution)
			s.Correlation = correlation
			drawn := fault.Draw(s, 42, 1, n)
			mean, deviation, resembles := moments(drawn)
			if math.Abs(mean/float64(delay)-1) > 0.005 || math.Abs(deviation/float64(c.deviation)-1) > c.tolerance {
				t.Errorf("%s, correlation %v: mean %v, deviation %v, want %v and %v", c.distribution, correlation,
					time.Duration(mean), time.Duration(deviation), delay, c.deviation)
			}
			if lowest := slices.Min(drawn); lowest < c.lowest {
				t.Errorf("%s: as low as %v", c.distribution, lowest)
			}
			if math.Abs(resembles-correlation) > 0.25 || correlation == 0 && math.Abs(resembles) > 0.01 {
				t.Errorf("%s: correlated by %v, want about %v", c.distribution, resembles, correlation)
			}
		}
	}
}

func TestTheSameSeedDrawsTheSame(t *testing.T) {
	s := spread(100*time.Millisecond, 50*time.Millisecond, fault.ParetoNormal)
	s.Correlation = 0.3
	first := fault.Draw(s, 7, 3, 100)
	for what, again := range map[string][]time.Duration{
		"another seed": fault.Draw(s, 8, 3, 100), "another connection": fault.Draw(s, 7, 4, 100),
	} {
		if slices.Equal(first, again) {
			t.Errorf("%s draws the same", what)
		}
	}
	if !slices.Equal(first, fault.Draw(s, 7, 3, 100)) {
		t.Error("the same seed draws others")
	}
}

func TestATraceIsPlayedInItsOrder(t *testing.T) {
	trace := []fault.Duration{1, 2, 3, 5, 8}
	drawn := fault.Draw(fault.Spread{Trace: trace}, 1, 1, 20)
	start := slices.Index(trace, fault.Duration(drawn[0]))
	for i, d := range drawn {
		if want := trace[(start+i)%len(trace)]; d != time.Duration(want) {
			t.Fatalf("draw %d is %d, want %d", i, d, want)
		}
	}
}

func TestNoDrawIsNegativeOrEndless(t *testing.T) {
	for _, distribution := range []string{fault.Uniform, fault.Normal, fault.Pareto, fault.ParetoNormal} {
		for _, d := range fault.Draw(spread(fault.MaxDelay, fault.MaxDelay, distribution), 1, 1, 10_000) {
			if d < 0 || d > fault.MaxDelay {
				t.Fatalf("%s drew %v", distribution, d)
			}
		}
	}
}

func TestEveryProblemOfASpreadIsNamed(t *testing.T) {
	for _, c := range []struct{ with, want string }{
		{`{}`, "delay 0s must be above 0"},
		{`{"delay": "1s", "distribution": "gauss"}`, "constant, uniform, normal, pareto, paretonormal, trace"},
		{`{"delay": "1s", "distribution": "normal"}`, "distribution normal needs a jitter"},
		{`{"delay": "1s", "jitter": "1s", "distribution": "constant"}`, "a constant delay has no jitter"},
		{`{"delay": "1s", "correlation": 0.5}`, "correlation needs a jitter"},
		{`{"delay": "1s", "jitter": "1s", "correlation": 1}`, "correlation 1 must be"},
		{`{"trace": ["1s"], "delay": "1s"}`, "come from the trace"},
		{`{"trace": ["1s"], "distribution": "normal"}`, "leave one of them out"},
		{`{"trace": ["1s", "-1s"]}`, "trace[1] -1s must not be negative"},
		{`{"distribution": "trace"}`, "trace must have 1 to 10000 delays, it has 0"},
		{`{"delay": "1s", "per": "byte"}`, "per \"byte\" must be chunk or connection"},
		{`{"delay": 1}`, "field delay must be a duration in quotes"},
		{`{"dely": "1s"}`, "unknown field \"dely\""},
	} {
		var f fault.Fault
		err := fault.DecodeStrict([]byte(`{"id": "f", "proxy": "p", "expires": "1s", "kind": "latency", "with": `+c.with+`}`), &f)
		if err == nil {
			err = f.Check()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.with, err, c.want)
		}
	}
}
