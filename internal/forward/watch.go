package forward

import (
	"sync/atomic"
	"time"
)

// watchAfter is how long a request waits before its client is watched: most are answered sooner, and cost nothing.
const watchAfter = 20 * time.Millisecond

// watch notices a client that leaves while its request waits and nobody reads from it. It reads nothing: it asks the
// kernel about the state of the connection.
type watch struct {
	conn  *conn
	timer *time.Timer
	over  chan struct{} // a watcher has ended
	ended atomic.Bool   // the client has sent its end

	// Guarded by conn.mu.
	waits bool // the request waits
	armed bool // the timer runs, or the watcher does
	asked bool // the whole request has gone to the upstream
}

func (w *watch) init(c *conn) {
	w.conn, w.over = c, make(chan struct{}, 1)
}

// start is called when the request begins to wait. While its body is read, the reader notices; it calls free at its end.
func (w *watch) start(reading bool) {
	w.conn.mu.Lock()
	defer w.conn.mu.Unlock()
	w.waits = true
	if !reading {
		w.arm()
	}
}

// free is called when nobody reads from the client any more.
func (w *watch) free() {
	w.conn.mu.Lock()
	defer w.conn.mu.Unlock()
	if w.waits {
		w.arm()
	}
}

func (w *watch) arm() {
	switch {
	case w.armed || w.conn.client.tcp == nil || w.ended.Load():
		return
	case w.timer == nil:
		w.timer = time.AfterFunc(watchAfter, w.run)
	default:
		w.timer.Reset(watchAfter)
	}
	w.armed = true
}

// stop is called when the request waits no more.
func (w *watch) stop() {
	w.conn.mu.Lock()
	armed := w.armed
	w.waits, w.armed = false, false
	w.conn.mu.Unlock()
	if !armed || w.timer.Stop() {
		return
	}
	w.conn.client.interrupt()
	<-w.over
	w.conn.client.resume()
}

// sent is called when the whole request has gone to the upstream, where the client's end may follow it now.
func (w *watch) sent() {
	w.conn.mu.Lock()
	defer w.conn.mu.Unlock()
	w.asked = true
	if w.conn.up != nil && w.ended.Load() {
		w.conn.up.closeWrite()
	}
}

// run is the watcher.
func (w *watch) run() {
	defer func() { w.over <- struct{}{} }()
	state, err := awaitEnd(w.conn.client.tcp)
	switch {
	case err != nil: // interrupted
	case state == tcpClosed:
		w.conn.cancel(errClientGone)
	default:
		w.conn.mu.Lock()
		defer w.conn.mu.Unlock()
		w.ended.Store(true)
		if w.asked && w.conn.up != nil {
			w.conn.up.closeWrite()
		}
	}
}
