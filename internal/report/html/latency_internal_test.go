package html

import (
	"strings"
	"testing"
	"time"

	"mishap/internal/report/words"
)

func TestLatenciesOfWhatFailedAreNoTimes(t *testing.T) {
	bounds := []float64{0.01, 0.1}
	for want, counts := range map[string][]int64{
		"half of the requests succeeded within 10ms, and 99 of 100 within 100ms":       {80, 20, 0},
		"half of the requests succeeded within 100ms, and fewer than 99 of 100 at all": {20, 60, 20},
		"not even half of the requests succeeded":                                      {20, 20, 60},
		"no request succeeded": {0, 0, 9},
	} {
		if got := (histogram{bounds, counts}).spoken("x"); strings.TrimLeft(strings.TrimPrefix(got, "x"), ", ") != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestAQuantileIsOneNumberWhereverItIsSaid: an edge in seconds and the same as a time.
func TestAQuantileIsOneNumberWhereverItIsSaid(t *testing.T) {
	for d := 100 * time.Microsecond; d < 20*time.Second; d += d/50 + 17*time.Nanosecond {
		short := strings.NewReplacer(".00s", "s", ".0s", "s")
		if a, b := short.Replace(words.Quick(d)), quickSeconds(d.Seconds()); a != b {
			t.Fatalf("%d ns is %s and %s", d, a, b)
		}
	}
	if got := (histogram{bounds: []float64{0.172, 0.205, 0.244}, counts: []int64{50, 49, 1, 0}}).span(.99); got != "172ms to 205ms" {
		t.Errorf("the bin of p99 is %s", got)
	}
}
