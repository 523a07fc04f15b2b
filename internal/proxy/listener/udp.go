package listener

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"mishap/internal/proxy/attempts"
	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/registry"
	"mishap/internal/proxy/stream"
)

const (
	udpIdle     = 30 * time.Second // a client that is silent for so long is forgotten, as a NAT does
	udpClients  = 4096             // each has a socket of its own to the upstream; beyond, the most silent is forgotten
	maxDatagram = 64 << 10         // bytes
)

// UDP passes the datagrams of one proxy, and the answers back to whoever asked.
type UDP struct {
	Config
	trouble *registry.Troubles
	shared  *stream.Resources // with the server's other listeners
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	conn    *net.UDPConn
	tasks   sync.WaitGroup
	wake    chan struct{} // the head of held may be another

	mu      sync.Mutex // never held across a call that waits for a peer
	faults  []*registry.Active
	clients map[netip.AddrPort]*client
	held    heldQueue // datagrams that are late
	arrived uint64    // numbers the datagrams
	total   uint64    // clients so far; numbers them
	refused uint64    // datagrams that could not be sent to the upstream
	closed  bool
}

// NewUDP makes a listener that does nothing yet.
func NewUDP(config Config, log *slog.Logger, shared *stream.Resources) *UDP {
	return &UDP{Config: config, trouble: registry.NewTroubles(config.Name, log), shared: shared, wake: make(chan struct{}, 1),
		dial: (&net.Dialer{Control: takesKept}).DialContext, clients: make(map[netip.AddrPort]*client)}
}

// Listen takes the port.
func (l *UDP) Listen(ctx context.Context, ports Ports) error {
	conn, err := ports.udp(ctx, l.Config)
	if err != nil {
		return l.cannotListen(err)
	}
	l.conn = conn.(*net.UDPConn) // what the network "udp" gives
	return nil
}

// Serve passes datagrams on until the listener is closed. This one loop reads everybody's, and so it waits for nothing but
// the next one.
func (l *UDP) Serve(ctx context.Context) {
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
		if err != nil {
			return // it is closed
		}
		l.pass(c, fault.Upstream, buf[:n])
	}
}

// send lets a datagram go. What a full buffer of the system or a missing peer makes of it is a datagram's fate.
func (l *UDP) send(c *client, way fault.Direction, data []byte) {
	var err error
	if way == fault.Upstream {
		err = l.toUpstream(c, data)
	} else {
		err = sendNow(l.conn, data, c.address)
	}
	if err != nil && way == fault.Upstream {
		l.trouble.Met("cannot reach "+l.Upstream, err)
		l.mu.Lock()
		l.refused++
		l.mu.Unlock()
	}
}

// Takes says why the proxy cannot have a fault with the effect; nil if it can.
func (l *UDP) Takes(e fault.Effect) error { return fault.Suits(e, l.Name, fault.UDP) }

// Coverage counts the clients that a fault is meant for. It is in force on all of them as soon as it is put in.
func (l *UDP) Coverage(f *registry.Active) (n registry.Coverage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.clients {
		if f.Hits(c.number) {
			n.Of++
		}
	}
	n.Connections = n.Of
	return n
}

// Status is what the control API says of the proxy.
func (l *UDP) Status() registry.ProxyStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	return registry.ProxyStatus{
		Name: l.Name, Listen: l.conn.LocalAddr().String(), Upstream: l.Upstream, Protocol: fault.UDP,
		Open: len(l.clients), Total: l.total, Refused: l.refused, Faults: len(l.faults), Trouble: l.trouble.Status(),
	}
}

// Attempts are none: no caller of datagrams can be told from another.
func (l *UDP) Attempts() attempts.Watchable { return attempts.Watchable{Protocol: fault.UDP} }

// Close ends every client, loses what is held, and waits until all goroutines have ended.
func (l *UDP) Close() {
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
	stream.Signal(l.wake)
	l.tasks.Wait()
}

// File is the port, for a successor.
func (l *UDP) File() (*os.File, error) {
	if l.conn == nil {
		return nil, errNotListening
	}
	return l.conn.File()
}

// Retire ends the clients: the next datagram of each goes to the successor.
func (l *UDP) Retire() { l.Close() }

// Busy is nothing: a datagram is not under way.
func (l *UDP) Busy() int { return 0 }
