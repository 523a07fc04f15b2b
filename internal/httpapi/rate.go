package httpapi

import (
	"sync"
	"time"
)

// limiter allows so many a second for each name, with bursts of as many.
type limiter struct {
	mu   sync.Mutex
	left map[string]*bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

const (
	ratePerSecond = 50
	mostBuckets   = 10_000
)

func (l *limiter) allow(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	b := l.left[name]
	if b == nil {
		if l.left == nil || len(l.left) >= mostBuckets {
			l.left = map[string]*bucket{}
		}
		b = &bucket{tokens: ratePerSecond, at: now}
		l.left[name] = b
	}
	b.tokens = min(ratePerSecond, b.tokens+now.Sub(b.at).Seconds()*ratePerSecond)
	b.at = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
