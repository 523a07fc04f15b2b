package notify

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// worker sends the messages of one target, in order, one at a time.
type worker struct {
	to     atomic.Pointer[receiver]
	leave  context.CancelFunc // the target is told nothing any more
	log    *slog.Logger
	giveUp time.Duration
	limit  int
	wake   chan struct{} // something was added, or the worker was stopped
	// notBefore is what the target asked for. It outlives the message it was
	// said for. Only the sending goroutine knows it.
	notBefore time.Time

	mu      sync.Mutex
	queue   []*queued
	sending bool
	stopped bool
	full    bool // messages were dropped since the queue was last empty
	stat    Stat
}

// receiver is who a worker sends to.
type receiver struct {
	target Target
	sender sender
	client *http.Client
}

// queued is a message that waits.
type queued struct {
	message Message
	until   time.Time // it is given up
}

func newWorker(t Target, o Options) *worker {
	w := &worker{log: o.Log.With("target", t.Name), giveUp: o.GiveUp, limit: o.Queue, wake: make(chan struct{}, 1), stat: Stat{Target: t.Name}}
	w.become(t, o.Client)
	return w
}

// become lets the worker send to another target of the same name, also what waits.
func (w *worker) become(t Target, client *http.Client) {
	w.to.Store(&receiver{target: t, sender: newSender(t), client: client})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stat.Kind = t.Kind
}

// add queues a message, and makes room for it when it must.
func (w *worker) add(m Message) {
	var gone *Message
	first := false
	w.mu.Lock()
	if w.stopped {
		gone, first = &m, true
	} else {
		w.queue = append(w.queue, &queued{message: m, until: time.Now().Add(w.giveUp)})
		if len(w.queue) > w.limit {
			gone, first = w.shed(), !w.full
			w.full = true
		}
	}
	if gone != nil {
		w.stat.Dropped++
	}
	w.mu.Unlock()
	w.signal()
	// A full queue is told once, not for each of thousands; what a person
	// would have had to act on is always told.
	if gone != nil && (first || gone.Event.urgent()) {
		w.log.Warn("message dropped", "event", gone.Event, "id", gone.ID, "run", gone.Run)
	}
}

// shed takes out the oldest message nobody has to act on, or else the oldest.
func (w *worker) shed() *Message {
	i := max(0, slices.IndexFunc(w.queue, func(q *queued) bool { return !q.message.Event.urgent() }))
	gone := w.queue[i]
	w.queue = slices.Delete(w.queue, i, i+1)
	return &gone.message
}

func (w *worker) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// stop lets the worker end once its queue is empty, and says how many messages
// had failed by then.
func (w *worker) stop() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	w.signal()
	return w.stat.Failed
}

func (w *worker) snapshot() Stat {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.stat
	s.Queued = len(w.queue)
	if w.sending {
		s.Queued++
	}
	return s
}

// run sends until the worker is stopped and has nothing left, or ctx ends.
func (w *worker) run(ctx context.Context) {
	for {
		q := w.next(ctx)
		if q == nil {
			break
		}
		err := w.deliver(ctx, q)
		w.finish(&q.message, err)
	}
	w.abandon()
}

// next waits for a message; nil means that there will be none.
func (w *worker) next(ctx context.Context) *queued {
	for ctx.Err() == nil {
		q, stopped := w.pop()
		if q != nil || stopped {
			return q
		}
		select {
		case <-w.wake:
		case <-ctx.Done():
		}
	}
	return nil
}

func (w *worker) pop() (q *queued, stopped bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 {
		w.full = false
		return nil, w.stopped
	}
	q = w.queue[0]
	w.queue = slices.Delete(w.queue, 0, 1)
	w.sending = true
	return q, false
}

// finish counts a message that was sent or given up.
func (w *worker) finish(m *Message, err error) {
	w.mu.Lock()
	w.sending = false
	if err == nil {
		w.stat.Sent++
		w.stat.LastError = ""
	} else {
		w.stat.Failed++
		w.stat.LastError = err.Error()
	}
	w.mu.Unlock()
	if err != nil {
		w.log.Error("message given up", "event", m.Event, "id", m.ID, "run", m.Run, "error", err)
	}
}

// failing notes why a message is not sent yet.
func (w *worker) failing(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stat.LastError = err.Error()
}

// abandon counts what is still queued when the worker ends.
func (w *worker) abandon() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	w.stat.Failed += uint64(len(w.queue))
	w.queue = nil
}
