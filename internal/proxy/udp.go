package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	udpIdle     = 30 * time.Second // a client that is silent for so long is forgotten, as a NAT does
	udpClients  = 4096             // each has a socket of its own to the upstream; beyond, the most silent is forgotten
	maxDatagram = 64 << 10         // bytes
)

// udpListener passes the datagrams of one proxy, and the answers back to whoever asked.
type udpListener struct {
	Listener
	trouble *troubles
	bytes   *budget // the server's
	clock   *clock  // the server's
	conn    *net.UDPConn
	tasks   sync.WaitGroup
	wake    chan struct{} // the head of held may be another

	mu      sync.Mutex // never held across a call that waits for a peer
	faults  []*active
	clients map[netip.AddrPort]*client
	held    heldQueue // datagrams that are late
	arrived uint64    // numbers the datagrams
	total   uint64    // clients so far; numbers them
	refused uint64    // datagrams that could not be sent to the upstream
	closed  bool
}

// client is one address that sends datagrams. It is what a share of connections means here.
type client struct {
	number   uint64
	address  netip.AddrPort
	upstream *net.UDPConn
	latest   time.Time              // of its datagrams, both ways
	sent     map[Direction]uint64   // numbers the datagrams of each way
	touched  map[*counters]struct{} // by the faults that count there
}

func newUDPListener(config Listener, log *slog.Logger, bytes *budget, clock *clock) *udpListener {
	return &udpListener{Listener: config, trouble: &troubles{proxy: config.Name, log: log}, bytes: bytes, clock: clock, wake: make(chan struct{}, 1),
		clients: make(map[netip.AddrPort]*client)}
}

// listen takes the port.
func (l *udpListener) listen(ctx context.Context, ports Ports) error {
	conn, err := ports.udp(ctx, l.Listener)
	if err != nil {
		return l.cannotListen(err)
	}
	l.conn = conn.(*net.UDPConn) // what the network "udp" gives
	return nil
}

// serve passes datagrams on until the listener is closed.
func (l *udpListener) serve(ctx context.Context) {
	l.tasks.Go(func() { l.release(ctx) })
	buf := make([]byte, maxDatagram)
	for {
		n, from, err := l.conn.ReadFromUDPAddrPort(buf)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			continue // of one datagram
		}
		c, err := l.client(ctx, from)
		switch {
		case errors.Is(err, errOver):
			return
		case err != nil:
			l.trouble.met("cannot reach "+l.Upstream, err)
			continue
		}
		l.pass(c, Upstream, buf[:n])
	}
}

// client finds who sent a datagram, or makes a client of it.
func (l *udpListener) client(ctx context.Context, from netip.AddrPort) (*client, error) {
	l.mu.Lock()
	c := l.clients[from]
	l.mu.Unlock()
	if c != nil {
		return c, nil
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "udp", l.Upstream) // which waits at most for a name
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.refused++
		return nil, err
	}
	if l.closed {
		_ = conn.Close()
		return nil, errOver
	}
	if len(l.clients) >= udpClients {
		l.forgetMostSilent()
	}
	l.total++
	c = &client{number: l.total, address: from, upstream: conn.(*net.UDPConn), latest: time.Now(),
		sent: make(map[Direction]uint64), touched: make(map[*counters]struct{})}
	l.clients[from] = c
	l.tasks.Go(func() { l.answers(c) })
	return c, nil
}

// answers passes on what the upstream sends to a client, until the client is silent or forgotten.
func (l *udpListener) answers(c *client) {
	defer l.forget(c)
	buf := make([]byte, maxDatagram)
	for {
		_ = c.upstream.SetReadDeadline(l.silentFrom(c))
		n, err := c.upstream.Read(buf)
		switch {
		case err == nil:
			l.pass(c, Downstream, buf[:n])
		case errors.Is(err, net.ErrClosed):
			return
		default: // the upstream's port is closed at the moment, or the deadline has passed
			if !time.Now().Before(l.silentFrom(c)) {
				return
			}
		}
	}
}

// silentFrom is when a client is forgotten if nothing more comes.
func (l *udpListener) silentFrom(c *client) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return c.latest.Add(udpIdle)
}

func (l *udpListener) forget(c *client) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(c)
}

func (l *udpListener) forgetMostSilent() {
	var silent *client
	for _, c := range l.clients {
		if silent == nil || c.latest.Before(silent.latest) {
			silent = c
		}
	}
	l.drop(silent)
}

// drop ends a client; its lock is held.
func (l *udpListener) drop(c *client) {
	if l.clients[c.address] == c {
		delete(l.clients, c.address)
	}
	_ = c.upstream.Close()
}

// send lets a datagram go. What a full buffer of the system or a missing peer makes of it is a datagram's fate.
func (l *udpListener) send(c *client, way Direction, data []byte) {
	var err error
	if way == Upstream {
		_, err = c.upstream.Write(data)
	} else {
		_, err = l.conn.WriteToUDPAddrPort(data, c.address)
	}
	if err != nil && way == Upstream {
		l.trouble.met("cannot reach "+l.Upstream, err)
		l.mu.Lock()
		l.refused++
		l.mu.Unlock()
	}
}

// takes says why the proxy cannot have a fault with the effect; nil if it can.
func (l *udpListener) takes(e Effect) error {
	if _, ok := e.(datagrams); !ok {
		return fmt.Errorf("%s is for streams, and proxy %q is udp: use latency, loss or timeout", e.Kind(), l.Name)
	}
	if t, ok := e.(Timeout); ok && t.After > 0 {
		return fmt.Errorf("datagrams have no connection to reset, and proxy %q is udp: leave after out", l.Name)
	}
	return nil
}

// coverage counts the clients that a fault is meant for. It is in force on all of them as soon as it is put in.
func (l *udpListener) coverage(f *active) (n Coverage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.clients {
		if f.hits(c.number) {
			n.Of++
		}
	}
	n.Connections = n.Of
	return n
}

// status is what the control API says of the proxy.
func (l *udpListener) status() ProxyStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	return ProxyStatus{
		Name: l.Name, Listen: l.conn.LocalAddr().String(), Upstream: l.Upstream, Protocol: UDP,
		Open: len(l.clients), Total: l.total, Refused: l.refused, Faults: len(l.faults), Trouble: l.trouble.status(),
	}
}

// close ends every client, loses what is held, and waits until all goroutines have ended.
func (l *udpListener) close() {
	if l.conn == nil {
		return
	}
	_ = l.conn.Close()
	l.mu.Lock()
	l.closed = true
	for _, c := range l.clients {
		l.drop(c)
	}
	l.mu.Unlock()
	signal(l.wake)
	l.tasks.Wait()
}
