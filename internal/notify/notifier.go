package notify

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"mishap"
)

const (
	defaultGiveUp = time.Hour
	defaultQueue  = 1000
	// closeGrace is how long Close waits for a sending it has interrupted. It
	// is longer only where a secret is being asked for, which cannot be.
	closeGrace = time.Second
)

// Options say who is told, and how.
type Options struct {
	Targets []Target // checked ones: what is wrong with one shows only at sending
	Log     *slog.Logger
	// Client sends. The default waits 10 s for an answer and follows no
	// redirect to another host, nor one that would turn the POST into a GET.
	Client *http.Client
	// Dial connects for the default client; nil: that of net/http does.
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)
	GiveUp time.Duration // after which a message is given up, from its Tell; default 1 h
	Queue  int           // messages per target; default 1000
}

// Notifier tells targets. Its methods may be called from several goroutines.
type Notifier struct {
	o      Options
	own    *http.Client // nil when the caller gave one
	ctx    context.Context
	cancel context.CancelFunc
	all    sync.WaitGroup // the workers
	done   chan struct{}  // closed, and all workers have ended

	mu      sync.Mutex
	workers []*worker
	closed  bool
}

// Stat is what became of one target's messages.
type Stat struct {
	Target  string
	Kind    Kind
	Sent    uint64
	Failed  uint64 // given up
	Dropped uint64 // never tried: the queue was full, or the notifier closed
	Queued  int    // with the one being sent
	// LastError is why the latest try failed; empty again once one succeeds.
	LastError string
}

// New starts a notifier, which must be closed.
func New(o Options) *Notifier {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.GiveUp <= 0 {
		o.GiveUp = defaultGiveUp
	}
	if o.Queue <= 0 {
		o.Queue = defaultQueue
	}
	n := &Notifier{done: make(chan struct{})}
	if o.Client == nil {
		n.own = newClient(o.Dial)
		o.Client = n.own
	}
	n.o = o
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.Retarget(o.Targets)
	return n
}

// Retarget tells these targets from now on, and no others. What waits for a target goes
// to the one of the same name; what waits for one that is gone is given up.
func (n *Notifier) Retarget(targets []Target) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return
	}
	old := n.workers
	n.workers = nil
	for _, t := range targets {
		var w *worker
		if i := slices.IndexFunc(old, func(w *worker) bool { return w.to.Load().target.Name == t.Name }); i >= 0 {
			w = old[i]
			old = slices.Delete(old, i, i+1)
			w.become(t, n.o.Client)
		} else {
			w = n.start(t)
		}
		n.workers = append(n.workers, w)
	}
	for _, w := range old {
		w.leave()
	}
}

// start lets a new worker send to a target.
func (n *Notifier) start(t Target) *worker {
	w := newWorker(t, n.o)
	ctx, leave := context.WithCancel(n.ctx)
	w.leave = leave
	n.all.Go(func() { w.run(ctx) })
	return w
}

func (n *Notifier) current() []*worker {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.workers)
}

// Tell queues a message for every target that wants it. It never blocks: when
// a queue is full, the oldest message that is neither stranded nor notRecovered
// goes, and is counted. Where all are, the oldest of them goes.
func (n *Notifier) Tell(m Message) {
	if m.ID == "" {
		m.ID = rand.Text()
	}
	if m.At.IsZero() {
		m.At = time.Now()
	}
	if m.Text == "" {
		m.Text = m.words()
	}
	for _, w := range n.current() {
		if w.to.Load().target.wants(m.Event) {
			w.add(m)
		}
	}
}

// Close stops taking messages, and waits until ctx for what is queued. Its error
// says how many messages could not be sent since it was called.
func (n *Notifier) Close(ctx context.Context) error {
	n.mu.Lock()
	if !n.closed {
		n.closed = true
		go func() {
			n.all.Wait()
			close(n.done)
		}()
	}
	n.mu.Unlock()
	var before uint64
	for _, w := range n.current() {
		before += w.stop()
	}
	select {
	case <-n.done:
	case <-ctx.Done():
	}
	n.cancel()
	grace := time.NewTimer(closeGrace)
	defer grace.Stop()
	select {
	case <-n.done:
	case <-grace.C:
	}
	if n.own != nil {
		n.own.CloseIdleConnections()
	}
	var lost uint64
	for _, s := range n.Stats() {
		lost += s.Failed + uint64(s.Queued)
	}
	if lost -= before; lost > 0 {
		return fmt.Errorf("close notifier: %s could not be sent", mishap.Plural(lost, "message"))
	}
	return nil
}

// Stats are counted per target, in the order of the targets.
func (n *Notifier) Stats() []Stat {
	workers := n.current()
	stats := make([]Stat, 0, len(workers))
	for _, w := range workers {
		stats = append(stats, w.snapshot())
	}
	return stats
}
