package metrics

import (
	"encoding/json"
	"fmt"
	"math"

	"mishap"
	"mishap/internal/analysis"
)

// counted is a count that every source and the analysis hold exactly: a whole
// number from 0 to [mishap.MostCounted]. What a source counts beyond it, in
// floating point or not, is no count, because the next one cannot be told from
// it.
func counted[N int64 | uint64 | float64](n N) (int64, error) {
	switch v := float64(n); {
	case n < 0:
		return 0, fmt.Errorf("%w: a count of %v", analysis.ErrBucket, n)
	case math.IsNaN(v) || v != math.Trunc(v):
		return 0, fmt.Errorf("%w: %v is not a count", analysis.ErrBucket, n)
	case n > mishap.MostCounted:
		return 0, fmt.Errorf("%w: a count of %v, and counts are exact only below 2^53", analysis.ErrBucket, n)
	}
	return int64(n), nil
}

// exactLevel is a level that was written as a decimal number; a whole number
// that a float64 cannot hold is refused.
func exactLevel(text json.Number) (float64, error) {
	n, err := mishap.ParseNumber(string(text))
	if err != nil {
		return 0, fmt.Errorf("%w: a level: %w", analysis.ErrBucket, err)
	}
	v := n.Float()
	back, _ := mishap.NumberOf(v)
	if math.IsInf(v, 0) || math.Abs(v) > mishap.MostCounted && back.Cmp(n) != 0 {
		return 0, fmt.Errorf("%w: a level of %s cannot be told from the next one", analysis.ErrBucket, text)
	}
	return v, nil
}
