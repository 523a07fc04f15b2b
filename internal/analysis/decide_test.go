package analysis

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
)

func TestHarmAborts(t *testing.T) {
	r := seeded(1)
	d := until(t, begun(t, ratePlan()), "success", func(i int) Bucket {
		return bucketAt(i, time.Second, armOf(r, 50, 0.005), armOf(r, 50, 0.2))
	})
	if d.Outcome != Abort || d.Cause != HarmShown || d.At.Sub(epoch) > 6*time.Second || !strings.Contains(d.Reason, "success") {
		t.Errorf("got %+v", d)
	}
}

func TestNoHarmClears(t *testing.T) {
	r := seeded(2)
	d := until(t, begun(t, ratePlan()), "success", func(i int) Bucket {
		return bucketAt(i, time.Second, armOf(r, 50, 0.005), armOf(r, 50, 0.005))
	})
	if d.Outcome != Clear || d.Cause != HarmRuledOut {
		t.Errorf("got %+v", d)
	}
}

func TestTheHorizonWithoutEnoughTrafficIsInconclusive(t *testing.T) {
	r := seeded(3)
	d := until(t, begun(t, ratePlan()), "success", func(i int) Bucket {
		return bucketAt(i, time.Second, armOf(r, 1, 0.005), armOf(r, 1, 0.005))
	})
	if d.Outcome != Inconclusive || d.Cause != HorizonCame || d.At.Sub(epoch) != 10*time.Minute || !strings.Contains(d.Reason, "not ruled out") {
		t.Errorf("got %+v", d)
	}
}

func TestAPlanWithoutAMarginIsNeverCleared(t *testing.T) {
	p := ratePlan()
	p.Metrics[0].Margin = Margin{}
	r := seeded(4)
	d := until(t, begun(t, p), "success", func(i int) Bucket {
		return bucketAt(i, time.Second, armOf(r, 50, 0.005), armOf(r, 50, 0.005))
	})
	if d.Outcome != Inconclusive || !strings.Contains(d.Reason, "no metric has a margin") {
		t.Errorf("got %+v", d)
	}
}

func TestASpentBudgetStopsWithoutAVerdict(t *testing.T) {
	p := ratePlan()
	p.ExtraFailures = 3
	c := begun(t, p)
	steady := Arm{Requests: 50, Successes: 50}
	// one failure a second in three: harm, but not shown yet when three are spent
	d := until(t, c, "success", func(i int) Bucket {
		e := steady
		if i%3 == 0 {
			e.Successes--
		}
		return bucketAt(i, time.Second, steady, e)
	})
	if d.Outcome != Inconclusive || d.Cause != BudgetSpent {
		t.Errorf("got %+v", d)
	}
}

func TestTrafficThatStopsInTheExperimentIsHarm(t *testing.T) {
	c := begun(t, ratePlan())
	d := until(t, c, "success", func(i int) Bucket {
		return bucketAt(i, time.Second, Arm{Requests: 50, Successes: 50}, Arm{})
	})
	if d.Outcome != Abort || !strings.Contains(d.Reason, trafficName) || d.At.Sub(epoch) > 10*time.Second {
		t.Errorf("got %+v", d)
	}
}

func TestASilentArmOfUnknownShareIsNeverCleared(t *testing.T) {
	for name, silence := range map[string]func(*Bucket){
		"experiment": func(b *Bucket) { b.Experiment = Arm{} },
		"control":    func(b *Bucket) { b.Control = Arm{} },
	} {
		p := ratePlan()
		p.Share, p.Horizon, p.Metrics[0].Margin.Difference = 0, 5*time.Minute, 0.001
		r := seeded(5)
		d := until(t, begun(t, p), "success", func(i int) Bucket {
			b := bucketAt(i, time.Second, armOf(r, 100, 0.005), armOf(r, 100, 0.005))
			if i > 60 {
				silence(&b)
			}
			return b
		})
		if d.Outcome != Inconclusive || !strings.Contains(d.Reason, "silent") {
			t.Errorf("%s: got %+v", name, d)
		}
	}
}

func TestAMetricThatGoesMissingIsNeverCleared(t *testing.T) {
	p := ratePlan()
	p.Metrics = append(p.Metrics, Metric{Name: "orders", Kind: EventRate, Harm: Decrease, Margin: Margin{Ratio: 0.5}})
	c, r := begun(t, p), seeded(6)
	for i := range 600 {
		b := bucketAt(i, time.Second, armOf(r, 50, 0.005), armOf(r, 50, 0.005))
		b.Control.Events, b.Experiment.Events = 20, 20
		if err := c.Observe("success", b); err != nil {
			t.Fatal(err)
		}
		if i < 20 {
			if err := c.Observe("orders", b); err != nil {
				t.Fatal(err)
			}
		}
		if d := c.Decide(b.end()); d.Outcome == Clear && i > 60 {
			t.Fatalf("cleared at %s with orders missing since 20 s", d.At)
		}
	}
	if d := c.Decide(epoch.Add(10 * time.Minute)); d.Outcome != Inconclusive || !strings.Contains(d.Reason, "orders: nothing was measured for") {
		t.Errorf("got %+v", d)
	}
}

func TestABrokenSplitIsInconclusiveWhateverElse(t *testing.T) {
	c := begun(t, ratePlan())
	if err := c.Assigned(5000, 4000); err != nil {
		t.Fatal(err)
	}
	if err := c.Observe("success", bucketAt(0, time.Second, Arm{Requests: 500, Successes: 500}, Arm{Requests: 500})); err != nil {
		t.Fatal(err)
	}
	if d := c.Decide(epoch.Add(time.Second)); d.Outcome != Inconclusive || d.Cause != SplitBroken {
		t.Errorf("got %+v", d)
	}
}

func TestADecisionStays(t *testing.T) {
	c := begun(t, ratePlan())
	harm := bucketAt(0, time.Second, Arm{Requests: 50, Successes: 50}, Arm{Requests: 50})
	if err := c.Observe("success", harm); err != nil {
		t.Fatal(err)
	}
	first := c.Decide(epoch.Add(time.Second))
	for i := 1; i < 900; i++ {
		if err := c.Observe("success", bucketAt(i, time.Second, Arm{Requests: 50, Successes: 50}, Arm{Requests: 50, Successes: 50})); err != nil {
			t.Fatal(err)
		}
	}
	if d := c.Decide(epoch.Add(time.Hour)); d != first || d.Outcome != Abort {
		t.Errorf("got %+v after %+v", d, first)
	}
}

func TestHarmThatShowsAfterClearingStillCounts(t *testing.T) {
	c := begun(t, ratePlan())
	good := Arm{Requests: 50, Successes: 50}
	d := until(t, c, "success", func(i int) Bucket { return bucketAt(i, time.Second, good, good) })
	if d.Outcome != Clear {
		t.Fatalf("got %+v", d)
	}
	for i := range 10 {
		if err := c.Observe("success", bucketAt(400+i, time.Second, good, Arm{Requests: 50, Successes: 10})); err != nil {
			t.Fatal(err)
		}
	}
	if d := c.Decide(epoch.Add(time.Hour)); d.Outcome != Abort {
		t.Errorf("got %+v", d)
	}
}

func TestEveryKindFindsItsHarmAndClearsItsAbsence(t *testing.T) {
	bounds := geometric(0.01, 10, 41)
	gauge := func(v float64) *float64 { return &v }
	r := seeded(7)
	slow := func(mean float64) Histogram {
		h := Histogram{Bounds: bounds, Counts: make([]int64, len(bounds)+1)}
		for range 50 {
			x, b := mean*math.Exp(0.5*r.NormFloat64()), 0
			for b < len(bounds) && x > bounds[b] {
				b++
			}
			h.Counts[b]++
		}
		return h
	}
	kinds := map[string]struct {
		metric Metric
		arm    func(harm float64) Arm
	}{
		"rate":    {Metric{Kind: SuccessRate, Margin: Margin{Ratio: 2}}, func(h float64) Arm { return armOf(r, 50, 0.01+0.09*h) }},
		"events":  {Metric{Kind: EventRate, Harm: Decrease, Margin: Margin{Ratio: 0.8}}, func(h float64) Arm { return Arm{Events: poisson(r, 50*(1-0.4*h))} }},
		"errors":  {Metric{Kind: EventRate, Harm: Increase, Margin: Margin{Ratio: 2}}, func(h float64) Arm { return Arm{Events: poisson(r, 2+6*h)} }},
		"latency": {Metric{Kind: Latency, Margin: Margin{Ratio: 1.25}}, func(h float64) Arm { return Arm{Latency: slow(0.06 * (1 + h))} }},
		"gauge": {Metric{Kind: Gauge, Harm: Increase, Margin: Margin{Difference: 2}, Block: 10 * time.Second},
			func(h float64) Arm { return Arm{Gauge: gauge(10 + 4*h + r.NormFloat64())} }},
		"blocks": {Metric{Kind: SuccessRate, Block: 10 * time.Second}, func(h float64) Arm { return armOf(r, 50, 0.01+0.09*h) }},
	}
	for name, k := range kinds {
		for _, harm := range []float64{0, 1} {
			k.metric.Name = name
			c, err := New(Plan{Share: 0.5, Horizon: 20 * time.Minute, Metrics: []Metric{k.metric}})
			if err != nil {
				t.Fatal(err)
			}
			for i := range 60 { // baseline
				if err := c.Observe(name, bucketAt(i, time.Second, k.arm(0), k.arm(0))); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.Begin(epoch.Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			want := map[float64]Outcome{0: Clear, 1: Abort}[harm]
			if !k.metric.guarded() && harm == 0 {
				want = Inconclusive
			}
			d := until(t, c, name, func(i int) Bucket { return bucketAt(60+i, time.Second, k.arm(0), k.arm(harm)) })
			if d.Outcome != want {
				t.Errorf("%s with harm %g: got %+v, want %s", name, harm, d, want)
			}
		}
	}
}

func TestStatusSpeaksOfTheSameEvidence(t *testing.T) {
	r := seeded(8)
	c := begun(t, ratePlan())
	at := epoch
	for i := range 30 {
		b := bucketAt(i, time.Second, armOf(r, 50, 0.01), armOf(r, 50, 0.01))
		if err := c.Observe("success", b); err != nil {
			t.Fatal(err)
		}
		at = b.end()
	}
	s := c.Status(at)
	if len(s.Metrics) != 2 || s.Metrics[1].Name != trafficName {
		t.Fatalf("got %+v", s.Metrics)
	}
	m := s.Metrics[0]
	if m.Ratio == nil || !(m.Ratio.Low <= m.Ratio.Estimate && m.Ratio.Estimate <= m.Ratio.High) {
		t.Errorf("ratio %+v", m.Ratio)
	}
	if d := m.Difference; d == nil || !(d.Low < 0 && d.High > 0) {
		t.Errorf("difference %+v", d)
	}
	if s.Harm < 0 || s.Harm >= 1 || m.Clear <= 0 || m.Clear >= 1 || m.Experiment.Requests == 0 || len(m.Doubts) != 0 {
		t.Errorf("got %+v", s)
	}
	if _, err := json.Marshal(s); err != nil {
		t.Error(err)
	}
}
