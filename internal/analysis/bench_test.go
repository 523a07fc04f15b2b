package analysis

import (
	"testing"
	"time"
)

// BenchmarkStatus is a look at nine rows and six windows.
func BenchmarkStatus(b *testing.B) {
	other := success(0.005)
	other.Name = "checkout"
	more := latency()
	more.Name, more.Quantiles = "slow", []float64{0.5, 0.9}
	p := Plan{Metrics: []Metric{success(0.005), other, latency(), more}, AtLeast: time.Hour}
	w := world{users: 4000, rate: 20, fails: constant(0.005), took: lognormal(0.1, 0.5)}
	tr := w.start(b, p, 1)
	limits := limitsOf(0.1, 0.5, "latency")
	for name, l := range limitsOf(0.1, 0.5, "slow") {
		if name != "slow p99" {
			limits[name] = l
		}
	}
	tr.before(b, limits)
	for range 1000 {
		tr.step(b)
	}
	s := tr.c.Status(tr.now)
	b.Logf("%d rows, %d windows", len(s.Rows), len(tr.c.books[""].Windows))
	for b.Loop() {
		tr.c.Status(tr.now)
	}
}
