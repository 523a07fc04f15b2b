package control

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/registry"
	"mishap/internal/socket"
)

// leftTimeout is how long the server before may take to answer: it is on this machine.
const leftTimeout = 3 * time.Second

// Left is the server before this one, after a restart. It keeps the connections that were open then, and answers the
// control API at an address of its own, so that faults reach them too: what is asked of this server is asked of it as
// well, and what both did is added up. It has its own leases, and so its faults end without this server. One that has a
// left itself passes on to it. Nil is none.
type Left struct {
	client *Client
	path   string // of its socket

	mu   sync.Mutex                // never held across a call
	gone bool                      // it has ended, and with it all that was left
	did  map[string]registry.Stats // by fault, what it last said: that counts also when it has ended
}

// NewLeft is the server that answers there; nil for no path.
func NewLeft(path string) *Left {
	if path == "" {
		return nil
	}
	return &Left{client: NewClient(path), path: path, did: make(map[string]registry.Stats)}
}

// ask calls the server before, if it is still there.
func (l *Left) ask(ctx context.Context, call func(context.Context, *Client) error) error {
	if l == nil || l.isGone() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, leftTimeout)
	defer cancel()
	err := call(ctx, l.client)
	switch {
	case errors.Is(err, ErrNotRunning), err != nil && l.ended():
		l.mu.Lock()
		l.gone = true
		l.mu.Unlock()
		socket.Remove(l.path)
		_ = os.Remove(filepath.Dir(l.path)) // where it was killed
		return nil
	case errors.Is(err, ErrNotFound):
		return nil // it has no part of it
	case errors.Is(err, ErrEnded):
		return fault.Refused(http.StatusGone, "", "on connections that a restart left in the process before: %w", err)
	case err != nil:
		return fault.Refused(http.StatusServiceUnavailable, "restart again, or end the process before, which resets what it has",
			"connections that a restart left in the process before are not reached: %w", err)
	}
	return nil
}

// ended says whether nothing listens any more: a call may have come just before the end.
func (l *Left) ended() bool {
	conn, err := socket.Dial(context.Background(), l.path)
	if err == nil {
		_ = conn.Close()
	}
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

func (l *Left) isGone() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gone
}

// remember keeps what the server before said of a fault.
func (l *Left) remember(theirs registry.Status) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.did) >= registry.KeptStats {
		clear(l.did)
	}
	theirs.Stats.InForceOn = registry.Coverage{}
	l.did[theirs.Fault.ID] = theirs.Stats
}

// last is what the server before last said of a fault.
func (l *Left) last(id string) registry.Stats {
	if l == nil {
		return registry.Stats{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.did[id]
}

// also adds what the server before answers about a fault.
func (l *Left) also(ctx context.Context, ours registry.Status, call func(context.Context, *Client) (registry.Status, error)) (registry.Status, error) {
	now := l.last(ours.Fault.ID)
	err := l.ask(ctx, func(ctx context.Context, c *Client) error {
		theirs, err := call(ctx, c)
		if err == nil {
			now = theirs.Stats
			l.remember(theirs)
		}
		return err
	})
	ours.Stats = ours.Stats.Plus(now)
	return ours, err
}

// put injects a fault there too. Arms are given to requests that come, and none comes there.
func (l *Left) put(ctx context.Context, f fault.Fault, ours registry.Status) (registry.Status, error) {
	if _, ok := f.Effect.(fault.Arms); ok {
		return ours, nil
	}
	return l.also(ctx, ours, func(ctx context.Context, c *Client) (registry.Status, error) { return c.Put(ctx, f) })
}

func (l *Left) get(ctx context.Context, ours registry.Status) (registry.Status, error) {
	return l.also(ctx, ours, func(ctx context.Context, c *Client) (registry.Status, error) { return c.Get(ctx, ours.Fault.ID) })
}

func (l *Left) remove(ctx context.Context, id string, ours registry.Status) (registry.Status, error) {
	return l.also(ctx, ours, func(ctx context.Context, c *Client) (registry.Status, error) { return c.Delete(ctx, id) })
}

func (l *Left) renew(ctx context.Context, id string, expires time.Duration, ours registry.Status) (registry.Status, error) {
	return l.also(ctx, ours, func(ctx context.Context, c *Client) (registry.Status, error) { return c.Renew(ctx, id, expires) })
}

// list adds what the server before says about the faults of both.
func (l *Left) list(ctx context.Context, ours []registry.Status) ([]registry.Status, error) {
	now := map[string]registry.Stats{}
	err := l.ask(ctx, func(ctx context.Context, c *Client) error {
		theirs, err := c.List(ctx)
		for _, s := range theirs {
			now[s.Fault.ID] = s.Stats
			l.remember(s)
		}
		return err
	})
	for i, s := range ours {
		did, ok := now[s.Fault.ID]
		if !ok {
			did = l.last(s.Fault.ID)
		}
		ours[i].Stats = s.Stats.Plus(did)
	}
	return ours, err
}

// proxies adds how many connections are left there.
func (l *Left) proxies(ctx context.Context, ours []registry.ProxyStatus) []registry.ProxyStatus {
	err := l.ask(ctx, func(ctx context.Context, c *Client) error {
		theirs, err := c.Proxies(ctx)
		for i := range ours {
			for _, p := range theirs {
				if p.Name == ours[i].Name {
					ours[i].Left = p.Open + p.Left
				}
			}
		}
		return err
	})
	if err != nil {
		for i := range ours {
			ours[i].Trouble = cmp.Or(ours[i].Trouble, &registry.Trouble{What: err.Error(), At: time.Now(), Times: 1})
		}
	}
	return ours
}
