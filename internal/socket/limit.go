package socket

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Limit says how many connections a listener has open at once. Beyond that a new one
// takes the place of the oldest that nobody holds, of the same caller or of who has
// most: so connections that say nothing, or too slowly, keep nobody out. Where even
// that one has just come, the new one is ended instead; whoever meant something asks
// again. A caller is known by its address, or by what Of says.
type Limit struct {
	All  int                   // of all callers
	Each int                   // of one
	Of   func(net.Conn) string // who is at the other end; nil: the address
}

const (
	spare    = 8                      // which part of the places nobody can hold
	settling = 100 * time.Millisecond // how long a connection has its place for sure, to say what it wants
)

// Share is a part of the descriptors that this process may have, at most so many and
// at least one.
func Share(part, most int) int {
	limit, known := Descriptors()
	if !known {
		return most
	}
	return max(1, int(min(limit/uint64(part), uint64(most))))
}

// Descriptors is how many file descriptors this process may have now.
func Descriptors() (most uint64, known bool) {
	var limit syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	return limit.Cur, err == nil
}

// On is the listener with this limit.
func (l Limit) On(listener net.Listener) net.Listener {
	if l.Of == nil {
		l.Of = address
	}
	return &limited{Listener: listener, limit: l, of: map[string]*caller{}}
}

// address is where a connection comes from. Who has one address of IPv6 has all that
// begin like it.
func address(c net.Conn) string {
	from, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return ""
	}
	ip := from.Addr().Unmap().WithZone("")
	if net, err := ip.Prefix(64); err == nil && ip.Is6() {
		return net.String()
	}
	return ip.String()
}

// limited is a listener with a limit.
type limited struct {
	net.Listener
	limit Limit

	mu   sync.Mutex
	open int
	held int // of those
	of   map[string]*caller
}

// caller is who has connections.
type caller struct {
	open []*conn // oldest first
	held int     // of those
}

// full reports whether no more than so many may be held of at most so many.
func full(held, most int) bool { return held >= most-max(1, most/spare) }

// Accept gives the next connection.
func (l *limited) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: accepted, on: l, of: l.limit.Of(accepted), since: time.Now()}
		admitted, instead := l.admit(c)
		if instead != nil {
			_ = instead.Close()
		}
		if admitted {
			return c, nil
		}
		_ = accepted.Close()
	}
}

// admit counts a connection if there is a place for it, and answers which one is to
// end in its stead, if any.
func (l *limited) admit(c *conn) (admitted bool, instead *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	own := l.of[c.of]
	if own == nil {
		own = &caller{}
	}
	switch {
	case len(own.open) >= l.limit.Each:
		instead = own.oldest(c.since)
	case l.open >= l.limit.All:
		instead = l.most().oldest(c.since)
	default:
		admitted = true
	}
	if !admitted && instead == nil {
		return false, nil
	}
	l.of[c.of] = own
	own.open = append(own.open, c)
	l.open++
	if instead != nil {
		l.forget(instead)
	}
	return true, instead
}

// most are the connections of who has most of those that nobody holds.
func (l *limited) most() *caller {
	most := &caller{}
	for _, c := range l.of {
		if len(c.open)-c.held > len(most.open)-most.held {
			most = c
		}
	}
	return most
}

// oldest is the oldest connection that nobody holds and that has settled; nil if
// there is none.
func (c *caller) oldest(now time.Time) *conn {
	for _, one := range c.open {
		if one.holds == 0 && now.Sub(one.since) >= settling {
			return one
		}
	}
	return nil
}

// forget counts a connection no more. It may be called again.
func (l *limited) forget(c *conn) {
	if c.forgotten {
		return
	}
	c.forgotten = true
	own := l.of[c.of]
	l.open--
	if own.open = slices.DeleteFunc(own.open, func(one *conn) bool { return one == c }); len(own.open) == 0 {
		delete(l.of, c.of)
	}
	if c.holds > 0 {
		l.held, own.held = l.held-1, own.held-1
	}
}

// conn is a connection that counts until it is closed.
type conn struct {
	net.Conn
	on        *limited
	of        string
	since     time.Time
	holds     int // guarded by the lock of on, as what follows
	forgotten bool
}

// Close ends the connection.
func (c *conn) Close() error {
	c.on.mu.Lock()
	c.on.forget(c)
	c.on.mu.Unlock()
	return c.Conn.Close()
}

// CloseWrite ends what is sent on it.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// NetConn is the connection itself.
func (c *conn) NetConn() net.Conn { return c.Conn }

// hold keeps the connection until it is released.
func (c *conn) hold() (release func()) {
	l := c.on
	l.mu.Lock()
	defer l.mu.Unlock()
	own := l.of[c.of]
	if c.forgotten || c.holds == 0 && (full(l.held, l.limit.All) || full(own.held, l.limit.Each)) {
		return func() {}
	}
	if c.holds++; c.holds == 1 {
		l.held, own.held = l.held+1, own.held+1
	}
	return sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if c.holds--; c.holds == 0 && !c.forgotten {
			l.held, own.held = l.held-1, own.held-1
		}
	})
}
