// Package metrics is where the numbers of two arms come from.
package metrics

import (
	"context"
	"time"

	"mishap/internal/analysis"
)

// Source gives what both arms did, in closed buckets.
type Source interface {
	// Closed gives the buckets that have closed since the last call, oldest
	// first: none twice, and none that may still change.
	Closed(ctx context.Context) ([]analysis.Bucket, error)
	// Delay is how long after its end a bucket is closed at the latest: it is
	// added to the time to stop.
	Delay() time.Duration
}

// FromProxy is the source that reads the proxy of the arms.
const FromProxy = "proxy"
