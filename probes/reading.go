package probes

import (
	"math"
	"strconv"
	"strings"

	"mishap"
)

// reading is what a source that counts in float64 knows about a value: exactly
// what it printed up to 2^53, and beyond that only that it lies between the
// neighbours of what it printed.
type reading struct {
	printed   float64
	low, high mishap.Number // the same where the value is exact, else outside of it
}

// readReading reads what Prometheus prints; it has infinities and no
// hexadecimal.
func readReading(text string) (reading, bool) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) || strings.ContainsAny(text, "xX_") {
		return reading{}, false
	}
	r := reading{printed: v}
	below, above := v, v
	if !math.IsInf(v, 0) && math.Abs(v) > mishap.MostCounted {
		below, above = math.Nextafter(v, math.Inf(-1)), math.Nextafter(v, math.Inf(1))
	}
	r.low, _ = mishap.NumberOf(below) // neither is NaN
	r.high, _ = mishap.NumberOf(above)
	return r, true
}

// sumOf is exact as far as the readings are; infinities decide it.
func sumOf(all []reading) (reading, bool) {
	sum, infinite := reading{}, false
	for _, r := range all {
		sum.printed += r.printed
		infinite = infinite || math.IsInf(r.printed, 0)
		if !infinite {
			sum.low, sum.high = sum.low.Add(r.low), sum.high.Add(r.high)
		}
	}
	if infinite {
		n, err := mishap.NumberOf(sum.printed)
		return reading{printed: sum.printed, low: n, high: n}, err == nil
	}
	return sum, true
}

// holds reports whether a reading is within the limit; it is not known of one
// whose limit lies where its value may be.
func (c Comparison) holds(r reading) (within, known bool) {
	if r.low.Cmp(r.high) == 0 {
		return c.HoldsFor(r.low), true
	}
	if r.low.Cmp(c.Limit) < 0 && c.Limit.Cmp(r.high) < 0 {
		return false, false
	}
	return c.Holds(r.printed), true
}
