package metrics_test

import (
	"fmt"
	"testing"
	"time"

	"mishap"
	"mishap/internal/metrics"
)

// A poll of what 20 instances expose: 4 routes, 2 arms, a histogram of 12 bins.
func BenchmarkPollOfPrometheus(b *testing.B) {
	f := newFake(b)
	for i := range 20 {
		for route := range 4 {
			for _, le := range []string{"0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"} {
				f.both("took_seconds_bucket", fmt.Sprintf(`,"pod":"%d","route":"%d","le":%q`, i, route, le), 30, 100, 20, 110, 10, 125)
			}
		}
	}
	for b.Loop() {
		s, err := build(metrics.Deps{}, "prometheus", mishap.Latency, object{"url": f.url, "histogram": "took_seconds"})
		if err != nil {
			b.Fatal(err)
		}
		if got, err := s.Closed(b.Context()); err != nil || len(got) != 1 {
			b.Fatal(got, err)
		}
	}
}

// An export of 1,000 points, and the look that follows it.
func BenchmarkExport(b *testing.B) {
	r := metrics.NewRounds(time.Second, true)
	k := 0
	for b.Loop() {
		when := at(float64(k))
		for i := range 1000 {
			r.Add(fmt.Sprint("target", i%10), fmt.Sprint("series", i), i%2 == 0, when, noon, int64(k))
		}
		r.Close(when)
		k++
	}
}
