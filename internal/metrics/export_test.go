package metrics

import (
	"strconv"
	"time"

	"mishap"
	"mishap/internal/analysis"
)

// Lines reads lines as those of a command that came at some time.
func Lines(delay time.Duration, needs ...mishap.MetricKind) func(text string, now time.Time) (*analysis.Bucket, error) {
	r := &lineReader{needs: needs, delay: delay, quote: strconv.Quote}
	return func(text string, now time.Time) (*analysis.Bucket, error) {
		b, _, err := r.read([]byte(text), now)
		return b, err
	}
}
