package metrics

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mishap/internal/analysis"
)

// Source gives what both arms did, in closed buckets. One that holds something,
// such as a process, is also an [io.Closer], which is closed when the run ends.
type Source interface {
	// Closed gives the buckets that have closed since the last call, oldest
	// first: none twice, and none that may still change. An error says what is
	// missing, and does not void the buckets beside it; a [*Gap] in it says
	// when. The next call goes on, unless the error is [ErrOver].
	Closed(ctx context.Context) ([]analysis.Bucket, error)
	// Delay is how long after its end a bucket is closed at the latest: it is
	// added to the time to stop. What a source has to learn first is left out
	// until then.
	Delay() time.Duration
}

// Paced is a source that knows how much time one bucket covers. Harm at its
// beginning is seen that much later, besides the delay.
type Paced interface {
	Width() time.Duration // 0: not known yet
}

// Preparer is a source that can look whether its numbers are there, and learn
// its delay, before a run. It only reads: no command is started.
type Preparer interface {
	Prepare(ctx context.Context) error
}

// Errors that callers branch on. Others are of package analysis: ErrReset,
// ErrScheme, ErrClocks, ErrBucket and ErrOrder.
var (
	// ErrMissing is a metric that its source has no numbers of.
	ErrMissing = errors.New("metric is missing")
	// ErrUnavailable is a source that does not answer.
	ErrUnavailable = errors.New("source does not answer")
	// ErrOver is a source that will never say anything again.
	ErrOver = errors.New("source is over")
)

// Gap is time that a source gave no bucket for, and why.
type Gap struct {
	Start, End time.Time
	Err        error
}

// Error says how much is missing, from when, and why.
func (g *Gap) Error() string {
	return fmt.Sprintf("%s from %s are missing: %v", g.End.Sub(g.Start).Round(time.Millisecond), g.Start.UTC().Format("15:04:05.000"), g.Err)
}

// Unwrap is why.
func (g *Gap) Unwrap() error { return g.Err }

// widthOf is how much time a bucket of the source covers; 0 if it does not know.
func widthOf(s Source) time.Duration {
	if paced, ok := s.(Paced); ok {
		return paced.Width()
	}
	return 0
}

// Pace is how late a source is: harm is seen at least delay, and at most delay
// plus width, after it happened. What has to be asked for or learnt is; an error
// says why the numbers are not there.
func Pace(ctx context.Context, s Source) (delay, width time.Duration, err error) {
	err = prepare(ctx, s)
	return s.Delay(), widthOf(s), err
}

// prepare asks a source to look whether its numbers are there.
func prepare(ctx context.Context, s Source) error {
	if p, ok := s.(Preparer); ok {
		return p.Prepare(ctx)
	}
	return nil
}

// closeSource lets go of what the source holds.
func closeSource(s Source) error {
	if c, ok := s.(interface{ Close() error }); ok {
		return c.Close()
	}
	return nil
}
