package metrics

import (
	"strconv"
	"time"

	"mishap"
	"mishap/internal/analysis"
)

// CountUnits counts the units of a source that is made up; so many targets are
// in each arm, or users if there are none.
func CountUnits(s Source, m mishap.CompareMetric, targets int) Source {
	return countUnits(Deps{Targets: targets}, s, m)
}

// UnitLines reads lines as those of a command, of which a metric needs units.
func UnitLines(needs ...mishap.MetricKind) func(text string, now time.Time) (*analysis.Bucket, error) {
	r := &lineReader{needs: needs, units: true, delay: time.Second, quote: strconv.Quote}
	return func(text string, now time.Time) (*analysis.Bucket, error) {
		b, _, err := r.read([]byte(text), now)
		return b, err
	}
}

// Lines reads lines as those of a command that came at some time.
func Lines(delay time.Duration, needs ...mishap.MetricKind) func(text string, now time.Time) (*analysis.Bucket, error) {
	r := &lineReader{needs: needs, delay: delay, quote: strconv.Quote}
	return func(text string, now time.Time) (*analysis.Bucket, error) {
		b, _, err := r.read([]byte(text), now)
		return b, err
	}
}

// Rounds is the sorting of readings, for tests that make up the readings.
type Rounds struct{ r *rounds }

// NewRounds waits so long for what is missing.
func NewRounds(wait time.Duration, sparse bool) Rounds {
	r := newRounds()
	r.wait, r.sparse = wait, sparse
	return Rounds{r}
}

// Add takes a reading of requests.
func (r Rounds) Add(target, series string, experiments bool, at, since time.Time, requests int64) (late, again bool) {
	s := sample{target: target, series: series, at: at, since: since, total: analysis.Arm{Requests: requests}}
	if experiments {
		s.arm = experiment
	}
	return r.r.add(s)
}

// Close gives what is closed.
func (r Rounds) Close(now time.Time) ([]analysis.Bucket, []error) { return r.r.close(now) }

// Interval is what was learnt.
func (r Rounds) Interval() time.Duration { return r.r.interval }
