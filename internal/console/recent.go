package console

import (
	"sync"
	"time"
)

const (
	recentFor  = 900 * time.Millisecond // for that long everybody is shown the same page
	mostRecent = 64
)

// recent is what was made a moment ago, so that however many look, each is made once.
// What the API said to somebody of a role it would say to others of it.
type recent[T any] struct {
	mu  sync.Mutex
	all map[string]*recently[T]
}

type recently[T any] struct {
	mu   sync.Mutex // held while it is made
	at   time.Time
	made *T
}

// get is what was made a moment ago, or makes it.
func (c *recent[T]) get(name string, now time.Time, make func() (*T, error)) (*T, error) {
	one := c.of(name)
	one.mu.Lock()
	defer one.mu.Unlock()
	if age := now.Sub(one.at); one.made != nil && age < recentFor {
		return one.made, nil
	}
	fresh, err := make()
	if err != nil {
		return nil, err
	}
	one.made, one.at = fresh, now
	return fresh, nil
}

// forget lets everything be made anew, since somebody did something.
func (c *recent[T]) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = nil
}

func (c *recent[T]) of(name string) *recently[T] {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil || len(c.all) >= mostRecent {
		c.all = map[string]*recently[T]{}
	}
	one := c.all[name]
	if one == nil {
		one = &recently[T]{}
		c.all[name] = one
	}
	return one
}
