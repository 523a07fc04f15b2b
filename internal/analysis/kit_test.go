package analysis

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

var epoch = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

func seeded(n uint64) *rand.Rand { return rand.New(rand.NewPCG(n, 20261123)) }

// poisson draws a Poisson count: by multiplication when small, by halving a
// binomial-free split when large (Devroye 1986, X.3, by sums).
func poisson(r *rand.Rand, mean float64) int64 {
	n := int64(0)
	for mean > 30 {
		part := math.Floor(mean * 7 / 8)
		g := gammaDraw(r, part)
		if g > mean {
			return n + binomialDraw(r, int64(part)-1, mean/g)
		}
		n, mean = n+int64(part), mean-g
	}
	for p := r.Float64(); p > math.Exp(-mean); p *= r.Float64() {
		n++
	}
	return n
}

// gammaDraw is Marsaglia and Tsang's (2000), for shapes of at least 1.
func gammaDraw(r *rand.Rand, shape float64) float64 {
	d := shape - 1./3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(r.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

func binomialDraw(r *rand.Rand, n int64, p float64) int64 {
	if p > 0.5 {
		return n - binomialDraw(r, n, 1-p)
	}
	if n <= 0 || p <= 0 {
		return 0
	}
	k, at, step := int64(0), int64(0), math.Log1p(-p)
	for {
		at += int64(math.Floor(math.Log(1-r.Float64())/step)) + 1
		if at > n {
			return k
		}
		k++
	}
}

// armOf is an arm of Poisson requests of which a share fails.
func armOf(r *rand.Rand, mean, share float64) Arm {
	n := poisson(r, mean)
	return Arm{Requests: n, Successes: n - binomialDraw(r, n, share)}
}

// bucketAt is the i-th bucket of a width since the epoch.
func bucketAt(i int, width time.Duration, control, experiment Arm) Bucket {
	return Bucket{Start: epoch.Add(time.Duration(i) * width), Width: width, Control: control, Experiment: experiment}
}

func begun(t testing.TB, p Plan) *Comparison {
	t.Helper()
	c, err := New(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Begin(epoch); err != nil {
		t.Fatal(err)
	}
	return c
}

// ratePlan compares success rates with a margin of half a percentage point.
func ratePlan() Plan {
	return Plan{Share: 0.5, Horizon: 10 * time.Minute, Metrics: []Metric{{Name: "success", Kind: SuccessRate, Margin: Margin{Difference: 0.005}}}}
}

// until feeds buckets until a decision, and gives it.
func until(t testing.TB, c *Comparison, metric string, next func(i int) Bucket) Decision {
	t.Helper()
	for i := 0; ; i++ {
		b := next(i)
		if err := c.Observe(metric, b); err != nil {
			t.Fatal(err)
		}
		if d := c.Decide(b.end()); d.Outcome != Continue {
			return d
		}
	}
}
