package notify

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
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
	workers []*worker
	own     *http.Client // nil when the caller gave one
	cancel  context.CancelFunc
	done    chan struct{} // all workers have ended
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
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	var all sync.WaitGroup
	for _, t := range o.Targets {
		w := newWorker(t, o)
		n.workers = append(n.workers, w)
		all.Go(func() { w.run(ctx) })
	}
	go func() {
		all.Wait()
		close(n.done)
	}()
	return n
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
	for _, w := range n.workers {
		if w.target.wants(m.Event) {
			w.add(m)
		}
	}
}

// Close stops taking messages, and waits until ctx for what is queued. Its error
// says how many messages could not be sent since it was called.
func (n *Notifier) Close(ctx context.Context) error {
	var before uint64
	for _, w := range n.workers {
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
		return fmt.Errorf("close notifier: %d messages could not be sent", lost)
	}
	return nil
}

// Stats are counted per target, in the order of the targets.
func (n *Notifier) Stats() []Stat {
	stats := make([]Stat, 0, len(n.workers))
	for _, w := range n.workers {
		stats = append(stats, w.snapshot())
	}
	return stats
}
