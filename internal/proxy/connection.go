package proxy

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/registry"
)

// lingerTime is how long a connection that a fault has closed one way may take to close the other.
const lingerTime = 2 * time.Second

// connection is one client and its upstream.
type connection struct {
	number   uint64                       // on its listener, from 1; decides which faults concern it
	arrived  time.Time                    // when it was accepted
	arrivals map[*registry.Counters]*bond // to the faults that it has met before its upstream was dialled
	client   *net.TCPConn
	hello    []byte       // of the client, read to find its upstream
	upstream *net.TCPConn // nil until dialled; the listener's lock guards it, and up, down and bonds
	up, down *pump
	bonds    map[*registry.Active]*bond
	bytes    *budget       // the server's
	clock    *clock        // the server's
	done     chan struct{} // closed when the connection is over
	once     sync.Once
}

// attach joins the client to its upstream; nothing moves before run.
func (c *connection) attach(upstream *net.TCPConn, pool *bufferPool) error {
	client, err := newSource(c.client, pool)
	if err != nil {
		return err
	}
	server, err := newSource(upstream, pool)
	if err != nil {
		return err
	}
	client.first = c.hello
	c.upstream = upstream
	c.up = newPump(fault.Upstream, client, server, c.bytes, c.clock, c.done)
	c.down = newPump(fault.Downstream, server, client, c.bytes, c.clock, c.done)
	return nil
}

// follow makes the connection obey the faults that concern it, and no others. It never blocks.
func (c *connection) follow(faults []*registry.Active) {
	if c.upstream == nil {
		return // will follow when it is attached
	}
	bonds, list := make(map[*registry.Active]*bond), []*bond(nil)
	for _, f := range faults {
		if !f.Hits(c.number) {
			continue
		}
		b := c.bonds[f]
		if b == nil {
			b = newBond(f, c.number)
			b.touched.Store(c.touchedBefore(f))
			c.arm(b)
		}
		bonds[f], list = b, append(list, b)
	}
	for f, b := range c.bonds {
		if bonds[f] == nil {
			b.disarm()
		}
	}
	c.bonds = bonds
	c.up.change(newPlan(fault.Upstream, list))
	c.down.change(newPlan(fault.Downstream, list))
}

// arm starts the clock of a fault that ends the connection.
func (c *connection) arm(b *bond) {
	d, ok := b.fault.Effect.(fault.Deadline)
	if !ok {
		return
	}
	if after, ends := d.EndsAfter(); ends {
		b.timer = time.AfterFunc(after, func() {
			b.touch()
			b.fault.Counters.EndedOne()
			if d.EndsBy() == fault.ByClose {
				c.close()
				return
			}
			c.reset()
		})
	}
}

// release stops the clocks of faults.
func (c *connection) release() {
	for _, b := range c.bonds {
		b.disarm()
	}
}

// touchedBefore says whether what the fault was, before its run changed it, has touched the connection.
func (c *connection) touchedBefore(f *registry.Active) bool {
	for g, b := range c.bonds {
		if g.Counters == f.Counters {
			return b.touched.Load()
		}
	}
	return false
}

// obeys says whether the fault is in force on every way that it covers.
func (c *connection) obeys(f *registry.Active) bool {
	return (!f.Direction.Covers(fault.Upstream) || c.up.obeys(f)) && (!f.Direction.Covers(fault.Downstream) || c.down.obeys(f))
}

// run moves bytes both ways, each in a goroutine of its own, and calls over when both have ended. It does not wait: idle
// connections are many, stacks are most of what they cost, and the caller's has grown while it dialled.
func (c *connection) run(start func(func()), over func()) {
	var left atomic.Int32
	left.Store(2)
	move := func(p, other *pump) {
		start(func() {
			c.settle(p.run(), other)
			if left.Add(-1) == 0 {
				c.close()
				over()
			}
		})
	}
	move(c.up, c.down)
	move(c.down, c.up)
}

// settle acts on how one pump ended.
func (c *connection) settle(how error, other *pump) {
	var write writeError
	var cut cutError
	switch {
	case errors.Is(how, errOver), errors.Is(how, io.EOF):
	case errors.As(how, &cut) && cut.how == fault.ByClose:
		// The other way goes on until the client, which has been told the end, has closed too; but not for long.
		other.src.closeWrite()
		time.AfterFunc(lingerTime, c.close)
	case errors.As(how, &write):
		// The destination is gone. What it sent before still goes to the other side when it is due, and then the
		// other pump meets the reset too.
		if !other.ended.Load() && other.line.holds() {
			return
		}
		c.reset()
	default:
		c.reset()
	}
}

// reset ends the connection with a RST to both sides: a stream that was cut never looks like one that ended.
func (c *connection) reset() {
	c.once.Do(func() {
		close(c.done)
		abort(c.client)
		if c.upstream != nil {
			abort(c.upstream)
		}
	})
}

// close ends a connection of which both ways have ended, or that a fault ends so.
func (c *connection) close() {
	c.once.Do(func() {
		close(c.done)
		_ = c.client.Close()
		if c.upstream != nil {
			_ = c.upstream.Close()
		}
	})
}

// abort closes with a RST. It fails only where the peer is gone already.
func abort(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}

// addrOf is the address of a peer, invalid if it has none.
func addrOf(c net.Conn) netip.Addr {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}
