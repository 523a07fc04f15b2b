package listener

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/registry"
	"mishap/internal/proxy/stream"
)

const (
	udpDialing = 10 * time.Second // that finding the upstream may take
	udpWaiting = 64               // datagrams of one client that wait for it meanwhile
)

// client is one address that sends datagrams. It is what a share of connections means here.
type client struct {
	number  uint64
	address netip.AddrPort
	cancel  context.CancelFunc // of finding the upstream

	// Guarded by the listener's lock.
	upstream *net.UDPConn                    // nil while it is being found
	waiting  [][]byte                        // datagrams for an upstream that is being found
	gone     bool                            // it was forgotten
	latest   time.Time                       // of its datagrams, both ways
	sent     map[fault.Direction]uint64      // numbers the datagrams of each way
	touched  map[*registry.Counters]struct{} // by the faults that count there
}

// client finds who sent a datagram, or makes a client of it. It waits for nothing: the upstream's name is looked up by a
// goroutine of the client's own, so that a name server that is silent holds up nobody else.
func (l *UDP) client(ctx context.Context, from netip.AddrPort) (*client, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.clients[from]; c != nil {
		return c, nil
	}
	if l.closed {
		return nil, net.ErrClosed
	}
	if len(l.clients) >= udpClients {
		l.forgetMostSilent()
	}
	l.total++
	ctx, cancel := context.WithTimeout(ctx, udpDialing)
	c := &client{number: l.total, address: from, cancel: cancel, latest: time.Now(),
		sent: make(map[fault.Direction]uint64), touched: make(map[*registry.Counters]struct{})}
	l.clients[from] = c
	l.tasks.Go(func() { l.connect(ctx, c) })
	return c, nil
}

// connect finds the upstream, sends what waits for it, and passes its answers back.
func (l *UDP) connect(ctx context.Context, c *client) {
	conn, err := l.dial(ctx, "udp", l.Upstream) // which waits at most for a name
	c.cancel()
	if err != nil {
		l.trouble.Met("cannot reach "+l.Upstream, err)
		l.forget(c)
		return
	}
	upstream := conn.(*net.UDPConn) // what the network "udp" gives
	l.mu.Lock()
	if c.gone {
		l.mu.Unlock()
		_ = upstream.Close()
		return
	}
	c.upstream = upstream
	// Under the lock, so that none overtakes another. Sending does not wait.
	var failed error
	for _, data := range c.waiting {
		l.shared.Budget.Give(waitingCost(data))
		if err := sendNow(upstream, data, netip.AddrPort{}); err != nil {
			l.refused++
			failed = err
		}
	}
	c.waiting = nil
	l.mu.Unlock()
	if failed != nil {
		l.trouble.Met("cannot reach "+l.Upstream, failed)
	}
	l.answers(c, upstream)
}

func waitingCost(data []byte) int64 { return int64(len(data)) + stream.Overhead }

// toUpstream sends a datagram, or lets it wait while the upstream is being found. Beyond a bound it is lost, as on a
// router whose queue is full; refused says so.
func (l *UDP) toUpstream(c *client, data []byte) error {
	l.mu.Lock()
	upstream := c.upstream
	if upstream != nil || c.gone {
		l.mu.Unlock()
		if upstream == nil {
			return net.ErrClosed
		}
		return sendNow(upstream, data, netip.AddrPort{})
	}
	defer l.mu.Unlock()
	if len(c.waiting) >= udpWaiting || !l.shared.Budget.Take(waitingCost(data)) {
		return errors.New("it is still being looked for, and more datagrams wait than there is room for")
	}
	c.waiting = append(c.waiting, bytes.Clone(data))
	return nil
}

// answers passes on what the upstream sends to a client, until the client is silent or forgotten.
func (l *UDP) answers(c *client, upstream *net.UDPConn) {
	defer l.forget(c)
	buf := make([]byte, maxDatagram)
	for {
		_ = upstream.SetReadDeadline(l.silentFrom(c))
		n, err := upstream.Read(buf)
		switch {
		case err == nil:
			l.pass(c, fault.Downstream, buf[:n])
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
func (l *UDP) silentFrom(c *client) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return c.latest.Add(udpIdle)
}

func (l *UDP) forget(c *client) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(c)
}

func (l *UDP) forgetMostSilent() {
	var silent *client
	for _, c := range l.clients {
		if silent == nil || c.latest.Before(silent.latest) {
			silent = c
		}
	}
	l.drop(silent)
}

// drop ends a client, and counts what waited in vain; the lock is held.
func (l *UDP) drop(c *client) {
	if l.clients[c.address] == c {
		delete(l.clients, c.address)
	}
	c.gone = true
	c.cancel()
	for _, data := range c.waiting {
		l.shared.Budget.Give(waitingCost(data))
		l.refused++
	}
	c.waiting = nil
	if c.upstream != nil {
		_ = c.upstream.Close()
	}
}
