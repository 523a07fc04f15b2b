package metrics

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"mishap"
	"mishap/internal/analysis"
)

// mostWaiting is how many buckets are kept for a metric that does not ask.
const mostWaiting = 10_000

// Feed lets several metrics read one source, so that it is asked once for all of
// them: each gets every bucket and every error.
type Feed struct {
	source Source

	mu    sync.Mutex
	polls uint64 // how often the source was asked
	taps  []*tap
}

// NewFeed makes a feed, which owns the source from now on.
func NewFeed(s Source) *Feed { return &Feed{source: s} }

// Tap is the source of one metric. It sees what is read after it was made.
func (f *Feed) Tap() Source {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := &tap{feed: f, seen: f.polls}
	f.taps = append(f.taps, t)
	return t
}

// Close closes the source.
func (f *Feed) Close() error { return closeSource(f.source) }

// poll asks the source for all taps.
func (f *Feed) poll(ctx context.Context) {
	buckets, err := f.source.Closed(ctx)
	f.polls++
	for _, t := range f.taps {
		t.waiting = append(t.waiting, buckets...)
		t.err = err
		if over := len(t.waiting) - mostWaiting; over > 0 {
			lost := t.waiting[:over]
			t.gap = &Gap{Start: lost[0].Start, End: t.waiting[over].Start, Err: fmt.Errorf("%s waited too long to be read", mishap.Plural(over, "bucket"))}
			t.waiting = t.waiting[over:]
		}
	}
}

// tap is one metric's view of a feed; the feed guards it.
type tap struct {
	feed    *Feed
	seen    uint64
	waiting []analysis.Bucket
	err     error // of the last poll
	gap     error
}

// Closed takes what another metric's poll has read; only if there was none since
// the last call is the source asked.
func (t *tap) Closed(ctx context.Context) ([]analysis.Bucket, error) {
	t.feed.mu.Lock()
	defer t.feed.mu.Unlock()
	if t.seen == t.feed.polls {
		t.feed.poll(ctx)
	}
	buckets, err := t.waiting, errors.Join(t.gap, t.err)
	t.waiting, t.gap, t.seen = nil, nil, t.feed.polls
	return buckets, err
}

// Delay is the source's.
func (t *tap) Delay() time.Duration { return t.feed.source.Delay() }

// Width is the source's.
func (t *tap) Width() time.Duration { return widthOf(t.feed.source) }

// Prepare prepares the source.
func (t *tap) Prepare(ctx context.Context) error { return prepare(ctx, t.feed.source) }

// Close closes the source, for all its metrics: they end together.
func (t *tap) Close() error { return t.feed.Close() }
