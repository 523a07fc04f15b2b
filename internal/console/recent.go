package console

import (
	"sync"
	"time"
)

const (
	recentFor  = 900 * time.Millisecond // for that long everybody is shown the same page
	mostRecent = 64
)

// recent are pages that were made a moment ago, so that however many look, each is made
// once. What the API said to somebody of a role it would say to others of it.
type recent struct {
	mu  sync.Mutex
	all map[string]*recently
}

type recently struct {
	mu   sync.Mutex // held while it is made
	at   time.Time
	page *made
}

// get is a page as it was made a moment ago, or makes it.
func (c *recent) get(name string, now time.Time, make func() (*made, error)) (*made, error) {
	one := c.of(name)
	one.mu.Lock()
	defer one.mu.Unlock()
	if age := now.Sub(one.at); one.page != nil && age < recentFor {
		return one.page, nil
	}
	page, err := make()
	if err != nil {
		return nil, err
	}
	one.page, one.at = page, now
	return page, nil
}

// forget lets every page be made anew, since somebody did something.
func (c *recent) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = nil
}

func (c *recent) of(name string) *recently {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil || len(c.all) >= mostRecent {
		c.all = map[string]*recently{}
	}
	one := c.all[name]
	if one == nil {
		one = &recently{}
		c.all[name] = one
	}
	return one
}
