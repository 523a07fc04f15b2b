package analysis

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

func TestDataThatCannotBeIsRefusedAndChangesNothing(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	ok := Arm{Requests: 50, Successes: 50}
	hist := Histogram{Bounds: []float64{0.1, 1}, Counts: []int64{1, 2, 3}}
	for name, b := range map[string]Bucket{
		"negative requests":       {Width: 1e9, Control: Arm{Requests: -1}, Experiment: ok},
		"negative successes":      {Width: 1e9, Control: ok, Experiment: Arm{Requests: 5, Successes: -1}},
		"negative events":         {Width: 1e9, Control: ok, Experiment: Arm{Events: -1}},
		"more successes":          {Width: 1e9, Control: ok, Experiment: Arm{Requests: 5, Successes: 6}},
		"absurd count":            {Width: 1e9, Control: ok, Experiment: Arm{Requests: math.MaxInt64}},
		"no width":                {Control: ok, Experiment: ok},
		"negative width":          {Width: -1e9, Control: ok, Experiment: ok},
		"gauge not a number":      {Width: 1e9, Control: ok, Experiment: Arm{Gauge: &nan}},
		"infinite gauge":          {Width: 1e9, Control: ok, Experiment: Arm{Gauge: &inf}},
		"counts without bounds":   {Width: 1e9, Control: Arm{Latency: Histogram{Counts: []int64{1}}}, Experiment: ok},
		"negative bin":            {Width: 1e9, Control: Arm{Latency: Histogram{Bounds: hist.Bounds, Counts: []int64{1, -2, 3}}}, Experiment: ok},
		"falling bounds":          {Width: 1e9, Control: Arm{Latency: Histogram{Bounds: []float64{1, 0.1}, Counts: hist.Counts}}, Experiment: ok},
		"bound that is no number": {Width: 1e9, Control: Arm{Latency: Histogram{Bounds: []float64{0.1, nan}, Counts: hist.Counts}}, Experiment: ok},
	} {
		c := begun(t, ratePlan())
		before, _ := c.MarshalJSON()
		b.Start = epoch
		if err := c.Observe("success", b); !errors.Is(err, ErrBucket) {
			t.Errorf("%s: got %v", name, err)
		}
		if e := c.HarmLogE(); e != begunAnew(t).HarmLogE() {
			t.Errorf("%s: evidence is %g", name, e)
		}
		if after, _ := c.MarshalJSON(); string(after) == string(before) {
			t.Errorf("%s: the refusal was not recorded", name)
		}
	}
}

func begunAnew(t *testing.T) *Comparison { return begun(t, ratePlan()) }

func TestRefusedBucketsKeepAMetricFromBeingCleared(t *testing.T) {
	p := ratePlan()
	p.Horizon = 20 * time.Minute
	c := begun(t, p)
	for i := range 1200 {
		b := bucketAt(i, time.Second, Arm{Requests: 50, Successes: 50}, Arm{Requests: 50, Successes: 50})
		if i%5 == 0 {
			b.Experiment.Requests = -1
		}
		if err := c.Observe("success", b); (err != nil) != (i%5 == 0) {
			t.Fatal(err)
		}
		if d := c.Decide(b.end()); d.Outcome == Clear {
			t.Fatalf("cleared after %d s", i)
		}
	}
	d := c.Decide(epoch.Add(20 * time.Minute))
	if d.Outcome != Inconclusive || !strings.Contains(d.Reason, "are missing") || !strings.Contains(d.Reason, "240 buckets were refused") {
		t.Errorf("got %+v", d)
	}
}

func TestALateBucketIsRefused(t *testing.T) {
	c := begun(t, ratePlan())
	ok := Arm{Requests: 50, Successes: 50}
	for i, want := range []error{nil, nil, ErrOrder, ErrOrder, nil} {
		if err := c.Observe("success", bucketAt([]int{0, 1, 1, 0, 2}[i], time.Second, ok, ok)); !errors.Is(err, want) {
			t.Errorf("bucket %d: got %v, want %v", i, err, want)
		}
	}
	overlapping := Bucket{Start: epoch.Add(2500 * time.Millisecond), Width: time.Second, Control: ok, Experiment: ok}
	if err := c.Observe("success", overlapping); !errors.Is(err, ErrOrder) {
		t.Errorf("got %v", err)
	}
}

func TestABucketThatStraddlesTheBeginningIsNoEvidence(t *testing.T) {
	c, err := New(ratePlan())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Begin(epoch.Add(500 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	before := c.HarmLogE()
	if err := c.Observe("success", bucketAt(0, time.Second, Arm{Requests: 50, Successes: 50}, Arm{Requests: 50})); err != nil {
		t.Fatal(err)
	}
	if c.HarmLogE() != before || c.streams[0].Learnt != 0 || c.streams[0].Observed != 0 {
		t.Error("half of a bucket was taken for evidence, or for the baseline")
	}
}

func TestChangedHistogramBoundsAreRefused(t *testing.T) {
	c := begun(t, Plan{Metrics: []Metric{{Name: "latency", Kind: Latency}}})
	arm := func(bounds ...float64) Arm {
		return Arm{Latency: Histogram{Bounds: bounds, Counts: make([]int64, len(bounds)+1)}}
	}
	if err := c.Observe("latency", bucketAt(0, time.Second, arm(0.1, 1), arm(0.1, 1))); err != nil {
		t.Fatal(err)
	}
	for _, b := range []Bucket{
		bucketAt(1, time.Second, arm(0.1, 1, 2), arm(0.1, 1, 2)),
		bucketAt(1, time.Second, arm(0.1, 1), arm(0.1, 2)),
	} {
		if err := c.Observe("latency", b); !errors.Is(err, ErrScheme) {
			t.Errorf("got %v", err)
		}
	}
	if err := c.Observe("latency", bucketAt(1, time.Second, Arm{Requests: 3}, arm(0.1, 1))); !errors.Is(err, ErrBucket) {
		t.Errorf("got %v", err)
	}
}

func TestAMarginThatTheBinsCannotShowIsNeverCleared(t *testing.T) {
	c := begun(t, Plan{Horizon: time.Minute, Metrics: []Metric{{Name: "latency", Kind: Latency, Margin: Margin{Ratio: 1.1}}}})
	arm := Arm{Latency: Histogram{Bounds: []float64{0.1, 1}, Counts: []int64{500, 400, 100}}}
	d := until(t, c, "latency", func(i int) Bucket { return bucketAt(i, time.Second, arm, arm) })
	if d.Outcome != Inconclusive || !strings.Contains(d.Reason, "wider than the margin") {
		t.Errorf("got %+v", d)
	}
}

func TestACounterThatFellIsAReset(t *testing.T) {
	earlier := Arm{Requests: 100, Successes: 90, Latency: Histogram{Bounds: []float64{1}, Counts: []int64{60, 40}}}
	later := Arm{Requests: 150, Successes: 130, Latency: Histogram{Bounds: []float64{1}, Counts: []int64{80, 70}}}
	d, err := later.Since(earlier)
	if err != nil || d.Requests != 50 || d.Successes != 40 || d.Latency.Counts[1] != 30 {
		t.Errorf("got %+v, %v", d, err)
	}
	if _, err := earlier.Since(later); !errors.Is(err, ErrReset) {
		t.Errorf("got %v", err)
	}
	reset := later
	reset.Latency = Histogram{Bounds: []float64{1}, Counts: []int64{1, 70}}
	if _, err := reset.Since(earlier); !errors.Is(err, ErrReset) {
		t.Errorf("got %v", err)
	}
	reset.Latency = Histogram{Bounds: []float64{2}, Counts: []int64{80, 70}}
	if _, err := reset.Since(earlier); !errors.Is(err, ErrScheme) {
		t.Errorf("got %v", err)
	}
}

func TestArmsOfDifferentTimesAreNotPaired(t *testing.T) {
	s := Sample{Start: epoch, Width: time.Second}
	if _, err := Pair(s, s); err != nil {
		t.Error(err)
	}
	for _, other := range []Sample{{Start: epoch.Add(time.Millisecond), Width: time.Second}, {Start: epoch, Width: 2 * time.Second}} {
		if _, err := Pair(s, other); !errors.Is(err, ErrClocks) {
			t.Errorf("got %v", err)
		}
	}
}

func TestPlansThatCannotBeCarriedOutAreRefused(t *testing.T) {
	rate := Metric{Name: "a", Kind: SuccessRate}
	for name, p := range map[string]Plan{
		"no metric":                  {},
		"no name":                    {Metrics: []Metric{{Kind: SuccessRate}}},
		"two of a name":              {Metrics: []Metric{rate, rate}},
		"reserved name":              {Metrics: []Metric{{Name: trafficName, Kind: SuccessRate}}},
		"unknown kind":               {Metrics: []Metric{{Name: "a", Kind: "vibes"}}},
		"alpha of 2":                 {Alpha: 2, Metrics: []Metric{rate}},
		"alpha not a number":         {Alpha: math.NaN(), Metrics: []Metric{rate}},
		"share of 1":                 {Share: 1, Metrics: []Metric{rate}},
		"events of unknown share":    {Metrics: []Metric{{Name: "a", Kind: EventRate, Harm: Decrease}}},
		"events without a direction": {Share: 0.5, Metrics: []Metric{{Name: "a", Kind: EventRate}}},
		"margin of the wrong side":   {Share: 0.5, Metrics: []Metric{{Name: "a", Kind: EventRate, Harm: Decrease, Margin: Margin{Ratio: 1.1}}}},
		"two margins":                {Metrics: []Metric{{Name: "a", Kind: SuccessRate, Margin: Margin{Ratio: 2, Difference: 0.1}}}},
		"absolute margin of latency": {Metrics: []Metric{{Name: "a", Kind: Latency, Margin: Margin{Difference: 0.1}}}},
		"unequal arms in blocks":     {Share: 0.1, Metrics: []Metric{{Name: "a", Kind: Gauge, Harm: Increase}}},
		"margin of counts in blocks": {Metrics: []Metric{{Name: "a", Kind: SuccessRate, Block: 1e9, Margin: Margin{Difference: 0.1}}}},
		"dispersion below 1":         {Metrics: []Metric{{Name: "a", Kind: SuccessRate, Dispersion: 0.5}}},
		"tolerance below 1":          {Metrics: []Metric{{Name: "a", Kind: SuccessRate, Tolerance: 0.5}}},
		"success that may not fall":  {Metrics: []Metric{{Name: "a", Kind: SuccessRate, Harm: Increase}}},
		"budget without a rate":      {ExtraFailures: 5, Metrics: []Metric{{Name: "a", Kind: Latency}}},
	} {
		if _, err := New(p); !errors.Is(err, ErrPlan) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestIntervalsWithoutDataHoldEverything(t *testing.T) {
	if i := ShareInterval(0, 0, 0.01); i.Low != 0 || i.High != 1 {
		t.Errorf("got %+v", i)
	}
	if i := RatioInterval(3, 0, 0.5, 0.01); i.High != mostRatio || i.Low <= 0 {
		t.Errorf("got %+v", i)
	}
	if _, err := MeanInterval(0, 1, 1, 0.1, 0.05); !errors.Is(err, ErrShort) {
		t.Errorf("got %v", err)
	}
	if _, _, err := QuantileInterval(Histogram{Bounds: []float64{1}, Counts: []int64{0, 0}}, 0.5, 0.05); !errors.Is(err, ErrShort) {
		t.Errorf("got %v", err)
	}
	i, open, err := QuantileInterval(Histogram{Bounds: []float64{1, 2}, Counts: []int64{5, 90, 40}}, 0.99, 0.05)
	if err != nil || !open || i.High != 2 {
		t.Errorf("got %+v, %v, %v", i, open, err)
	}
}
