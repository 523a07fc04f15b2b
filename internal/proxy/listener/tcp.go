package listener

import (
	"context"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"mishap/internal/proxy/attempts"
	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/registry"
	"mishap/internal/proxy/stream"
)

const (
	dialTimeout    = 10 * time.Second
	firstAcceptGap = 5 * time.Millisecond // after a failed accept; doubles
	lastAcceptGap  = time.Second
	followAtOnce   = 512 // connections that are switched under one hold of the lock
)

// TCP accepts the connections of one proxy, whose faults are guarded by its lock.
type TCP struct {
	Config
	trouble *registry.Troubles
	shared  *stream.Resources // with the server's other listeners
	calls   *attempts.Recorder
	tcp     *net.TCPListener
	tasks   sync.WaitGroup

	// Closes says that a client whose upstream cannot be reached is closed and not reset: a reset may come while the
	// client is still in connect, which then fails.
	Closes bool

	mu      sync.Mutex // never held across a call that waits for a peer
	faults  []*registry.Active
	changed chan struct{} // closed, and made anew, when faults changes
	open    map[*stream.Connection]struct{}
	total   uint64         // accepted so far; numbers the connections
	refused uint64         // whose upstream could not be reached
	past    stream.Traffic // of connections that are over
	closed  bool
}

// NewTCP makes a listener that does nothing yet.
func NewTCP(config Config, log *slog.Logger, shared *stream.Resources) *TCP {
	return &TCP{Config: config, trouble: registry.NewTroubles(config.Name, log), shared: shared, calls: attempts.NewRecorder(),
		open: make(map[*stream.Connection]struct{}), changed: make(chan struct{})}
}

// Listen takes the port.
func (l *TCP) Listen(ctx context.Context, ports Ports) error {
	tcp, err := ports.tcp(ctx, l.Config)
	if err != nil {
		return l.cannotListen(err)
	}
	l.tcp = tcp.(*net.TCPListener) // what the network "tcp" gives
	return nil
}

// Serve accepts until the listener is closed. A slow or dead upstream does not hold it up.
func (l *TCP) Serve(ctx context.Context) {
	accepting(ctx, l.trouble, l.tcp.AcceptTCP, func(client *net.TCPConn) { l.begin(ctx, client) })
}

// begin registers a client and serves it in a goroutine of its own.
func (l *TCP) begin(ctx context.Context, client *net.TCPConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		stream.Abort(client)
		return
	}
	l.total++
	c := stream.NewConnection(l.total, client, l.shared)
	l.open[c] = struct{}{}
	l.tasks.Go(func() { l.handle(ctx, c) })
}

// handle dials the upstream and lets bytes move until the connection is over.
func (l *TCP) handle(ctx context.Context, c *stream.Connection) {
	if !l.join(ctx, c) {
		l.forget(c)
		return
	}
	c.Run(l.tasks.Go, func() { l.forget(c) })
}

// join joins a connection to its upstream, unless it is ended instead.
func (l *TCP) join(ctx context.Context, c *stream.Connection) bool {
	if !l.admit(c) {
		l.calls.Connection(c.Arrived, addrOf(c.Client), false)
		return false
	}
	to, err := l.route(c)
	if err != nil {
		l.unreachable(c, l.Upstream, err)
		return false
	}
	conn, err := dial(ctx, to)
	if err != nil {
		l.calls.Connection(c.Arrived, addrOf(c.Client), false)
		l.unreachable(c, to, err)
		return false
	}
	l.calls.Connection(c.Arrived, addrOf(c.Client), true)
	upstream := conn.(*net.TCPConn) // what the network "tcp" gives
	if err := l.attach(c, upstream); err != nil {
		stream.Abort(upstream)
		c.Reset()
		return false
	}
	return true
}

// dial connects to an upstream.
func dial(ctx context.Context, to string) (net.Conn, error) {
	// Not Dialer.DialTCP, which binds a local port first: then no port serves two upstreams, and they are used up.
	dialer := net.Dialer{Timeout: dialTimeout, Control: takesKept}
	return dialer.DialContext(ctx, "tcp", to)
}

// attach joins c to its upstream with the faults of the moment.
func (l *TCP) attach(c *stream.Connection, upstream *net.TCPConn) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return net.ErrClosed
	}
	if err := c.Attach(upstream); err != nil {
		return err
	}
	c.Follow(l.faults)
	return nil
}

// unreachable ends a client whose upstream did not answer.
func (l *TCP) unreachable(c *stream.Connection, upstream string, err error) {
	l.mu.Lock()
	l.refused++
	l.mu.Unlock()
	l.trouble.Met("cannot reach "+upstream, err)
	if l.Closes {
		c.Refuse(fault.ByClose)
		return
	}
	c.Reset()
}

func (l *TCP) forget(c *stream.Connection) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, c)
	l.past = l.past.Plus(c.Traffic())
	c.Release()
}

// Set makes the open connections, and those to come, obey these faults and no others. With very many it returns before
// the last of them does: coverage tells.
func (l *TCP) Set(faults []*registry.Active) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = faults
	close(l.changed)
	l.changed = make(chan struct{})
	if l.closed {
		return
	}
	all := slices.Collect(maps.Keys(l.open))
	rest := all[min(len(all), followAtOnce):]
	for _, c := range all[:len(all)-len(rest)] {
		c.Follow(l.faults)
	}
	if len(rest) > 0 {
		l.tasks.Go(func() { l.followLater(rest) })
	}
}

// followLater makes connections obey the faults of the moment, which may be others by now, without keeping anybody from
// the lock for long.
func (l *TCP) followLater(all []*stream.Connection) {
	for batch := range slices.Chunk(all, followAtOnce) {
		l.mu.Lock()
		for _, c := range batch {
			if _, open := l.open[c]; open {
				c.Follow(l.faults)
			}
		}
		l.mu.Unlock()
	}
}

// Takes says why the proxy cannot have a fault with the effect; nil if it can.
func (l *TCP) Takes(e fault.Effect) error { return fault.Suits(e, l.Name, fault.TCP) }

// Coverage counts the open connections that a fault is meant for, and those on which it is in force.
func (l *TCP) Coverage(f *registry.Active) (n registry.Coverage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := f.Effect.(fault.Arrival); ok {
		return n // it is for those that come
	}
	for c := range l.open {
		if !c.Attached() || !f.Hits(c.Number) {
			continue
		}
		n.Of++
		if c.Obeys(f) {
			n.Connections++
		}
	}
	return n
}

// Status is what the control API says of the proxy.
func (l *TCP) Status() registry.ProxyStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	return registry.ProxyStatus{
		Name: l.Name, Listen: l.tcp.Addr().String(), Upstream: l.Upstream, Protocol: fault.TCP,
		Open: len(l.open), Total: l.total, Refused: l.refused, Faults: len(l.faults), Trouble: l.trouble.Status(),
	}
}

// Attempts are what can be watched of its connections.
func (l *TCP) Attempts() attempts.Watchable {
	return attempts.Watchable{Protocol: fault.TCP, Calls: l.calls}
}

// Traffic is what went through the listener since it began.
func (l *TCP) Traffic() stream.Traffic {
	l.mu.Lock()
	defer l.mu.Unlock()
	sum := l.past
	for c := range l.open {
		sum = sum.Plus(c.Traffic())
	}
	return sum
}

// Close stops accepting, resets every open connection, and waits until their goroutines have ended.
func (l *TCP) Close() {
	l.Shut()
	l.tasks.Wait()
}

// Wait waits until the goroutines of all connections have ended.
func (l *TCP) Wait() { l.tasks.Wait() }

// Shut is close without the wait.
func (l *TCP) Shut() {
	if l.tcp == nil {
		return
	}
	_ = l.tcp.Close()
	l.calls.Close()
	l.mu.Lock()
	l.closed = true
	for c := range l.open {
		c.Reset()
	}
	l.mu.Unlock()
}

// addrOf is the address of a peer, invalid if it has none.
func addrOf(c net.Conn) netip.Addr {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// File is the port, for a successor.
func (l *TCP) File() (*os.File, error) {
	if l.tcp == nil {
		return nil, errNotListening
	}
	return l.tcp.File()
}

// Retire stops accepting. Connections go on.
func (l *TCP) Retire() { _ = l.tcp.Close() }

// Busy is how many connections are open.
func (l *TCP) Busy() int { return l.Status().Open }
