package forward

import (
	"sync/atomic"
	"time"
)

// watchAfter is how long a request waits before its client is watched: most are answered sooner, and cost nothing.
const watchAfter = 20 * time.Millisecond

// watch notices a client that leaves while its request waits and nobody reads from it. It reads nothing: it asks the
// kernel about the state of the connection. The timer is left to run from request to request, because setting it costs
// more than all else that is done for a request here.
type watch struct {
	conn  *conn
	timer *time.Timer
	over  chan struct{} // a watcher has ended
	ended atomic.Bool   // the client has sent its end

	// Guarded by conn.mu.
	waits    bool      // a request waits, and nobody reads
	turn     uint64    // which request
	running  bool      // the timer runs
	seen     uint64    // the turn when it was set
	watching bool      // a watcher has begun, and stop has not been called since
	sending  bool      // the request waits, but its body is still read
	asked    bool      // the whole request has gone to the upstream
	left     time.Time // when ended was set
}

func (w *watch) init(c *conn) {
	w.conn, w.over = c, make(chan struct{}, 1)
}

// start is called when the request begins to wait. While its body is read, the reader notices; it calls free at its end.
func (w *watch) start(reading bool) {
	w.conn.mu.Lock()
	defer w.conn.mu.Unlock()
	w.sending = reading
	if !reading {
		w.arm()
	}
}

// free is called when nobody reads from the client any more.
func (w *watch) free() {
	w.conn.mu.Lock()
	defer w.conn.mu.Unlock()
	if w.sending {
		w.sending = false
		w.arm()
	}
}

func (w *watch) arm() {
	if w.conn.client.tcp == nil || w.ended.Load() {
		return
	}
	w.waits = true
	w.turn++
	switch {
	case w.running:
		return
	case w.timer == nil:
		w.timer = time.AfterFunc(watchAfter, w.run)
	default:
		w.timer.Reset(watchAfter)
	}
	w.running, w.seen = true, w.turn
}

// stop is called when the request waits no more.
func (w *watch) stop() {
	w.conn.mu.Lock()
	watching := w.watching
	w.waits, w.sending, w.asked, w.watching = false, false, false, false
	w.conn.mu.Unlock()
	if watching {
		w.conn.client.interrupt()
		<-w.over
		w.conn.client.resume()
	}
}

// close is called when the connection is over.
func (w *watch) close() {
	w.stop()
	w.conn.mu.Lock()
	defer w.conn.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
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

// due says whether the request of the moment has waited since the timer was set. If another does, it is set anew.
func (w *watch) due() bool {
	w.conn.mu.Lock()
	defer w.conn.mu.Unlock()
	w.running = w.waits && w.turn != w.seen
	if w.running {
		w.seen = w.turn
		w.timer.Reset(watchAfter)
		return false
	}
	w.watching = w.waits
	return w.watching
}

// run is the watcher.
func (w *watch) run() {
	if !w.due() {
		return
	}
	defer func() { w.over <- struct{}{} }()
	state, err := awaitEnd(w.conn.client.tcp)
	switch {
	case err != nil: // interrupted
	case state == tcpClosed:
		w.conn.cancel(errClientGone)
	default:
		w.conn.mu.Lock()
		defer w.conn.mu.Unlock()
		w.leave()
		if w.asked && w.conn.up != nil {
			w.conn.up.closeWrite()
		}
	}
}
