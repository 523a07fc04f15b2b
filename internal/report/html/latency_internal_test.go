package html

import (
	"strings"
	"testing"
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
