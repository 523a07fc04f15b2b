package analysis

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

// everyKind is a plan with every kind of metric and every option.
func everyKind() Plan {
	return Plan{Share: 0.5, PerRequest: true, Boost: true, Horizon: time.Hour, ExtraFailures: 1e6, Metrics: []Metric{
		{Name: "rate", Kind: SuccessRate, Margin: Margin{Difference: 0.005}},
		{Name: "tempered", Kind: SuccessRate, Margin: Margin{Ratio: 2}, Dispersion: 3},
		{Name: "tolerant", Kind: SuccessRate, Tolerance: 1.1},
		{Name: "blocks", Kind: SuccessRate, Block: 5 * time.Second},
		{Name: "orders", Kind: EventRate, Harm: Decrease, Margin: Margin{Ratio: 0.9}},
		{Name: "latency", Kind: Latency, Margin: Margin{Ratio: 1.3}},
		{Name: "gauge", Kind: Gauge, Harm: Increase, Margin: Margin{Difference: 3}},
	}}
}

// anyBucket has everything, drawn anew.
func anyBucket(draw func() float64, i int) Bucket {
	arm := func() Arm {
		n := int64(60 * draw())
		v := 10 * draw()
		a := Arm{Requests: n, Successes: n - int64(float64(n)*draw()*draw()*draw()), Events: int64(30 * draw()), Gauge: &v}
		a.Latency = Histogram{Bounds: []float64{0.01, 0.012, 0.02, 0.05, 0.1, 1}, Counts: make([]int64, 7)}
		for b := range a.Latency.Counts {
			a.Latency.Counts[b] = int64(9 * draw())
		}
		return a
	}
	return bucketAt(i, time.Second, arm(), arm())
}

func TestAComparisonThatIsReadBackGoesOnBitForBit(t *testing.T) {
	r := seeded(11)
	whole, err := New(everyKind())
	if err != nil {
		t.Fatal(err)
	}
	broken, err := New(everyKind())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 150 {
		data, err := json.Marshal(broken)
		if err != nil {
			t.Fatal(err)
		}
		broken = new(Comparison)
		if err := json.Unmarshal(data, broken); err != nil {
			t.Fatalf("bucket %d: %v", i, err)
		}
		b := anyBucket(r.Float64, i)
		for _, c := range []*Comparison{whole, broken} {
			if i == 40 {
				if err := c.Begin(b.Start); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.Assigned(b.Control.Requests, b.Experiment.Requests); err != nil {
				t.Fatal(err)
			}
			for _, m := range c.Plan().Metrics {
				if err := c.Observe(m.Name, b); err != nil {
					t.Fatal(err)
				}
			}
			c.Decide(b.end())
		}
		if math.Float64bits(whole.HarmLogE()) != math.Float64bits(broken.HarmLogE()) {
			t.Fatalf("bucket %d: %v is not %v", i, broken.HarmLogE(), whole.HarmLogE())
		}
	}
	one, _ := json.Marshal(whole)
	other, _ := json.Marshal(broken)
	if string(one) != string(other) {
		t.Errorf("states differ:\n%s\n%s", one, other)
	}
}

func TestAStateThatCannotBeIsRefused(t *testing.T) {
	c := begun(t, everyKind())
	r := seeded(12)
	for i := range 10 {
		for _, m := range c.Plan().Metrics {
			if err := c.Observe(m.Name, anyBucket(r.Float64, i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	data, _ := json.Marshal(c)
	for name, change := range map[string][2]string{
		"version":        {`"version":1`, `"version":2`},
		"evidence":       {`"logA":[`, `"logA":[1,`},
		"kind":           {`"failures":{`, `"events":{`},
		"negative trial": {`"controlTrials":`, `"controlTrials":-`},
		"bounds":         {`"bounds":[0.01,`, `"bounds":[0.01,0.01,`},
		"plan":           {`"alpha":0.01`, `"alpha":7`},
		"streams":        {`"streams":[`, `"streams":[{},`},
	} {
		text := strings.Replace(string(data), change[0], change[1], 1)
		if text == string(data) {
			t.Fatalf("%s: nothing to change", name)
		}
		if err := json.Unmarshal([]byte(text), new(Comparison)); !errors.Is(err, ErrState) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// FuzzComparison feeds drawn plans with drawn buckets, also absurd ones: it
// must not fail, and its evidence is always a number that can be written.
func FuzzComparison(f *testing.F) {
	f.Add([]byte("mishap"), uint8(0), 0.5)
	f.Add([]byte{255, 0, 255, 255, 1, 9, 200, 17, 0, 0, 0, 255, 128}, uint8(77), 1e9)
	f.Add([]byte{1, 2, 3, 250, 251, 252, 253, 254, 255}, uint8(255), -1.0)
	f.Fuzz(func(t *testing.T, data []byte, options uint8, scale float64) {
		p := everyKind()
		p.Boost, p.PerRequest = options&1 != 0, options&2 != 0
		if options&4 != 0 {
			p.Alpha = 0.2
		}
		c := begun(t, p)
		at := 0
		draw := func() float64 {
			if at++; len(data) == 0 {
				return 0
			}
			return float64(data[at%len(data)]) / 255
		}
		for i := range 12 {
			b := anyBucket(draw, i)
			b.Experiment.Requests = int64(min(max(float64(b.Experiment.Requests)*scale, -10), 1e13))
			b.Experiment.Latency.Counts[at%7] = b.Experiment.Requests
			*b.Control.Gauge *= scale
			for _, m := range p.Metrics {
				_ = c.Observe(m.Name, b) // refusals are fine
			}
			checkNumbers(t, c, b)
		}
	})
}

func checkNumbers(t *testing.T, c *Comparison, b Bucket) {
	t.Helper()
	if e := c.HarmLogE(); math.IsNaN(e) || math.IsInf(e, 0) {
		t.Fatalf("evidence is %g after %+v", e, b)
	}
	if _, err := json.Marshal(c.Status(b.end())); err != nil {
		t.Fatalf("status: %v after %+v", err, b)
	}
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, new(Comparison)); err != nil {
		t.Fatalf("read back: %v", err)
	}
}

// FuzzState reads whatever it is given, and what it accepts must work.
func FuzzState(f *testing.F) {
	c, _ := New(everyKind())
	data, _ := json.Marshal(c)
	f.Add(data)
	f.Add([]byte(`{"version":1,"plan":{"metrics":[{"name":"a","kind":"success-rate"}]},"streams":[null]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c := new(Comparison)
		if json.Unmarshal(data, c) != nil {
			return
		}
		_ = c.Begin(epoch)
		for _, m := range c.Plan().Metrics {
			_ = c.Observe(m.Name, anyBucket(func() float64 { return 0.5 }, 0))
		}
		c.Status(epoch.Add(time.Second))
	})
}

// FuzzBets are the formulas by themselves, at the limits of what is promised:
// counts to 1e9, ratios from 1e-9 to 1e9, empty arms.
func FuzzBets(f *testing.F) {
	f.Add(1e9, 0.0, 1e9, 1e9, 1e9, 0.5)
	f.Add(0.0, 0.0, 0.0, 1e9, 1e-9, 1e-9)
	f.Add(1.0, 1e9, 3.0, 0.0, 80.0, 0.999999)
	f.Fuzz(func(t *testing.T, nE, fE, nC, fC, r, q float64) {
		whole := func(x float64) float64 { return math.Floor(min(max(x, 0), 1e9)) }
		if math.IsNaN(nE+fE+nC+fC+r+q) || !inside(q, 0, 1) {
			return
		}
		nE, nC, r, q = whole(nE), whole(nC), min(max(r, 1e-9), 1e9), min(max(q, 1e-9), 1-1e-9)
		fE, fC = min(whole(fE), nE), min(whole(fC), nC)
		hE, hC := []float64{nE - fE, fE}, []float64{nC - fC, fC}
		b := newBet(2)
		b.setRatio(0, 0, 1, q)
		b.setRatio(1, math.Log(r), r, q)
		number(t, "F1", b.logE(hE, hC))
		b.setMargin(1, r, 2, q)
		number(t, "F4", b.logE(hE, hC))
		theta := (fE + fC + 1) / (nE + nC + 100)
		b.setDifference(nE, nC, theta, theta, min(q, 0.9))
		number(t, "F5", b.logE(hE, hC))
		i := RatioInterval(fE, fC, q, 0.01)
		if number(t, "ratio", i.Low); !(i.Low <= i.Estimate && i.Estimate <= i.High) {
			t.Errorf("interval of %g and %g at %g: %+v", fE, fC, q, i)
		}
	})
}

func number(t *testing.T, what string, x float64) {
	t.Helper()
	if math.IsNaN(x) || math.IsInf(x, 0) {
		t.Errorf("%s is %g", what, x)
	}
}
