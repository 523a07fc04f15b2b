package cloud

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// rates are the buckets of tokens that calls take from: one per account, region
// and group of an API's calls. The zero value is ready.
type rates struct {
	mu      sync.Mutex
	buckets map[bucketKey]*bucket
}

// bucketKey says what shares a bucket.
type bucketKey struct{ account, region, group string }

// rate is how a bucket is filled.
type rate struct {
	size   float64 // tokens when it is full
	refill float64 // tokens a second
}

// The parts of a bucket that calls must leave: for reverts, and where they only look
// at what is in, also for what goes in beside.
const (
	kept     = 0.25
	keptLook = 0.5
)

func (r *rates) bucket(key bucketKey, full rate) *bucket {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.buckets == nil {
		r.buckets = map[bucketKey]*bucket{}
	}
	if r.buckets[key] == nil {
		r.buckets[key] = &bucket{rate: full, tokens: full.size, at: time.Now()}
	}
	return r.buckets[key]
}

// bucket holds tokens, of which each call takes some.
type bucket struct {
	mu sync.Mutex
	rate
	tokens float64
	at     time.Time // when tokens was right
}

// take waits until there are n tokens beyond the part that is left for others. A call
// that needs more than the bucket holds takes all there is.
func (b *bucket) take(ctx context.Context, n, left float64) error {
	for {
		wait := b.try(n, left)
		if wait == 0 {
			return nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("wait until AWS takes the next call: %w", ctx.Err())
		}
	}
}

// try takes n tokens, or says how long it takes until there are so many.
func (b *bucket) try(n, left float64) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fill()
	least := left * b.size
	n = min(n, b.size-least)
	if lacks := n + least - b.tokens; lacks > 0 {
		return max(time.Duration(lacks/b.refill*float64(time.Second)), time.Millisecond)
	}
	b.tokens -= n
	return 0
}

func (b *bucket) fill() {
	now := time.Now()
	b.tokens = min(b.size, b.tokens+now.Sub(b.at).Seconds()*b.refill)
	b.at = now
}

// empty takes all tokens: AWS says that there are none, as others call it too.
func (b *bucket) empty() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens, b.at = 0, time.Now()
}
