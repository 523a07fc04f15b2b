package console

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	lookEvery     = time.Second // at what happened, or less often if many look
	eachTakes     = 15 * time.Millisecond
	beatEvery     = 10 * time.Second // so that a page knows that the server lives
	mostListeners = 400
	writeWithin   = 10 * time.Second
)

// listeners are the pages that follow what happens.
type listeners struct{ n atomic.Int32 }

// follow tells a page that something happened, at most once a second, by server-sent
// events that say nothing else: the page then asks for itself anew.
func (c *Console) follow(w http.ResponseWriter, r *http.Request) {
	name := named(r)
	of, ok := c.enterQuietly(w, r, name)
	if !ok {
		return
	}
	ctx, done := c.o.WhileIn(of.Context())
	defer done()
	if c.live.n.Add(1) > mostListeners {
		c.live.n.Add(-1)
		http.Error(w, "too many pages follow; this one asks by itself", http.StatusServiceUnavailable)
		return
	}
	defer c.live.n.Add(-1)
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	defer func() { _ = out.SetWriteDeadline(time.Time{}) }() // the connection may be used again
	pause := time.NewTimer(0)
	defer pause.Stop()
	said := int64(-1)
	at := time.Time{}
	for {
		if n := c.o.Events(); n != said || time.Since(at) >= beatEvery {
			said, at = n, time.Now()
			_ = out.SetWriteDeadline(at.Add(writeWithin))
			if _, err := fmt.Fprintf(w, "data: %d\n\n", n); err != nil || out.Flush() != nil {
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
			pause.Reset(max(lookEvery, time.Duration(c.live.n.Load())*eachTakes))
		}
		if s := c.sessions.of(name); c.o.NeedsSignIn() && s == nil {
			return // who signed out follows nothing
		}
	}
}

// enterQuietly is [Console.enter] for the script.
func (c *Console) enterQuietly(w http.ResponseWriter, r *http.Request, name string) (*http.Request, bool) {
	token := ""
	if s := c.lasting(r.Context(), name); s != nil {
		token = s.token
	}
	of, status, why := c.o.Admit(r, token)
	if status != 0 {
		http.Error(w, why, status)
		return nil, false
	}
	return of, true
}
