package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"mishap/internal/proxy/fault"
	"mishap/internal/socket"
)

// leftTimeout is how long the server before may take to answer: it is on this machine.
const leftTimeout = 3 * time.Second

// left is the server before this one, after a restart. It keeps the connections that were open then, and answers the
// control API at an address of its own, so that faults reach them too: what is asked of this server is asked of it as
// well, and what both did is added up. It has its own leases, and so its faults end without this server. One that has a
// left itself passes on to it. Nil is none.
type left struct {
	client *Client
	path   string // of its socket

	mu   sync.Mutex       // never held across a call
	gone bool             // it has ended, and with it all that was left
	did  map[string]Stats // by fault, what it last said: that counts also when it has ended
}

func newLeft(path string) *left {
	if path == "" {
		return nil
	}
	return &left{client: NewClient(path), path: path, did: make(map[string]Stats)}
}

// openLeft is where a server answers after its successor has begun: a folder that only its user may enter.
func (s *server) openLeft(ctx context.Context) (*control, string, error) {
	folder, err := os.MkdirTemp("", "mishap-before-")
	if err != nil {
		return nil, "", fmt.Errorf("make folder of control socket: %w", err)
	}
	path := filepath.Join(folder, "control")
	here, err := socket.Listen(ctx, path)
	if err != nil {
		return nil, "", errors.Join(err, os.Remove(folder))
	}
	local := &server{log: s.log, path: path}
	api := local.newControl()
	api.Handler = http.MaxBytesHandler(socket.Whole(s.routes()), maxBody)
	release := func() { _, _ = here.Close(), os.RemoveAll(folder) }
	return &control{server: api, socket: controlLimit().On(here), release: release, failed: make(chan error, 1)}, path, nil
}

// ask calls the server before, if it is still there.
func (l *left) ask(ctx context.Context, call func(context.Context, *Client) error) error {
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
func (l *left) ended() bool {
	conn, err := socket.Dial(context.Background(), l.path)
	if err == nil {
		_ = conn.Close()
	}
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

func (l *left) isGone() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gone
}

// remember keeps what the server before said of a fault.
func (l *left) remember(theirs Status) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.did) >= keptStats {
		clear(l.did)
	}
	theirs.Stats.InForceOn = Coverage{}
	l.did[theirs.Fault.ID] = theirs.Stats
}

// last is what the server before last said of a fault.
func (l *left) last(id string) Stats {
	if l == nil {
		return Stats{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.did[id]
}

// also adds what the server before answers about a fault.
func (l *left) also(ctx context.Context, ours Status, call func(context.Context, *Client) (Status, error)) (Status, error) {
	now := l.last(ours.Fault.ID)
	err := l.ask(ctx, func(ctx context.Context, c *Client) error {
		theirs, err := call(ctx, c)
		if err == nil {
			now = theirs.Stats
			l.remember(theirs)
		}
		return err
	})
	ours.Stats = ours.Stats.plus(now)
	return ours, err
}

// put puts a fault in there too. Arms are given to requests that come, and none comes there.
func (l *left) put(ctx context.Context, f fault.Fault, ours Status) (Status, error) {
	if _, ok := f.Effect.(fault.Arms); ok {
		return ours, nil
	}
	return l.also(ctx, ours, func(ctx context.Context, c *Client) (Status, error) { return c.Put(ctx, f) })
}

func (l *left) get(ctx context.Context, ours Status) (Status, error) {
	return l.also(ctx, ours, func(ctx context.Context, c *Client) (Status, error) { return c.Get(ctx, ours.Fault.ID) })
}

func (l *left) remove(ctx context.Context, id string, ours Status) (Status, error) {
	return l.also(ctx, ours, func(ctx context.Context, c *Client) (Status, error) { return c.Delete(ctx, id) })
}

func (l *left) renew(ctx context.Context, id string, expires time.Duration, ours Status) (Status, error) {
	return l.also(ctx, ours, func(ctx context.Context, c *Client) (Status, error) { return c.Renew(ctx, id, expires) })
}

// list adds what the server before says about the faults of both.
func (l *left) list(ctx context.Context, ours []Status) ([]Status, error) {
	now := map[string]Stats{}
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
		ours[i].Stats = s.Stats.plus(did)
	}
	return ours, err
}

// proxies adds how many connections are left there.
func (l *left) proxies(ctx context.Context, ours []ProxyStatus) []ProxyStatus {
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
			ours[i].Trouble = cmp.Or(ours[i].Trouble, &Trouble{What: err.Error(), At: time.Now(), Times: 1})
		}
	}
	return ours
}

// plus adds up what a fault did in two servers. Percentiles are those of the one where it held up more.
func (s Stats) plus(o Stats) Stats {
	s.Connections += o.Connections
	s.Requests += o.Requests
	s.Spared += o.Spared
	s.Chunks += o.Chunks
	s.Bytes += o.Bytes
	s.Ends += o.Ends
	s.Dropped += o.Dropped
	s.Lost += o.Lost
	s.Ended += o.Ended
	s.Flushed += o.Flushed
	s.Overflow += o.Overflow
	s.Requested, s.Delivered = s.Requested.plus(o.Requested), s.Delivered.plus(o.Delivered)
	s.InForceOn.Connections += o.InForceOn.Connections
	s.InForceOn.Of += o.InForceOn.Of
	s.InForceOn.Left += o.InForceOn.Of
	return s
}

func (d Delays) plus(o Delays) Delays {
	if d.Count < o.Count {
		d, o = o, d
	}
	if o.Count == 0 {
		return d
	}
	n := d.Count + o.Count
	d.Mean = time.Duration((float64(d.Mean)*float64(d.Count) + float64(o.Mean)*float64(o.Count)) / float64(n))
	d.Count, d.Min, d.Max = n, min(d.Min, o.Min), max(d.Max, o.Max)
	return d
}
