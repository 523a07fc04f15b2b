package stream

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/registry"
)

// lingerTime is how long a connection that a fault has closed one way may take to close the other.
const lingerTime = 2 * time.Second

// Connection is one client and its upstream.
type Connection struct {
	Number  uint64    // on its listener, from 1; decides which faults concern it
	Arrived time.Time // when it was accepted
	Client  *net.TCPConn
	Hello   []byte // of the client, read to find its upstream

	on       *Resources
	upstream *net.TCPConn // nil until dialled; the listener's lock guards it, and up, down and bonds
	up, down *pump
	bonds    map[*registry.Active]*bond
	done     chan struct{} // closed when the connection is over
	once     sync.Once
}

// NewConnection is one that has come. It has no upstream yet.
func NewConnection(number uint64, client *net.TCPConn, on *Resources) *Connection {
	return &Connection{Number: number, Arrived: time.Now(), Client: client, on: on, done: make(chan struct{})}
}

// Done is closed when the connection is over.
func (c *Connection) Done() <-chan struct{} { return c.done }

// Attached says whether the connection has its upstream.
func (c *Connection) Attached() bool { return c.upstream != nil }

// Attach joins the client to its upstream; nothing moves before Run.
func (c *Connection) Attach(upstream *net.TCPConn) error {
	client, err := newSource(c.Client, &c.on.pool)
	if err != nil {
		return err
	}
	server, err := newSource(upstream, &c.on.pool)
	if err != nil {
		return err
	}
	client.first = c.Hello
	c.upstream = upstream
	c.up = newPump(fault.Upstream, client, server, c.on, c.done)
	c.down = newPump(fault.Downstream, server, client, c.on, c.done)
	return nil
}

// Follow makes the connection obey the faults that concern it, and no others. It never blocks.
func (c *Connection) Follow(faults []*registry.Active) {
	if c.upstream == nil {
		return // will follow when it is attached
	}
	bonds, list := make(map[*registry.Active]*bond), []*bond(nil)
	for _, f := range faults {
		if !f.Hits(c.Number) {
			continue
		}
		b := c.bonds[f]
		if b == nil {
			b = newBond(f, c.Number)
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
func (c *Connection) arm(b *bond) {
	d, ok := b.fault.Effect.(fault.Deadline)
	if !ok {
		return
	}
	if after, ends := d.EndsAfter(); ends {
		b.timer = time.AfterFunc(after, func() {
			b.touch()
			b.fault.Counters.EndedOne()
			if d.EndsBy() == fault.ByClose {
				c.Close()
				return
			}
			c.Reset()
		})
	}
}

// Release stops the clocks of faults.
func (c *Connection) Release() {
	for _, b := range c.bonds {
		b.disarm()
	}
}

// touchedBefore says whether what the fault was, before its run changed it, has touched the connection.
func (c *Connection) touchedBefore(f *registry.Active) bool {
	for g, b := range c.bonds {
		if g.Counters == f.Counters {
			return b.touched.Load()
		}
	}
	return false
}

// Obeys says whether the fault is in force on every way that it covers.
func (c *Connection) Obeys(f *registry.Active) bool {
	return (!f.Direction.Covers(fault.Upstream) || c.up.obeys(f)) && (!f.Direction.Covers(fault.Downstream) || c.down.obeys(f))
}

// Run moves bytes both ways, each in a goroutine of its own, and calls over when both have ended. It does not wait: idle
// connections are many, stacks are most of what they cost, and the caller's has grown while it dialled.
func (c *Connection) Run(start func(func()), over func()) {
	var left atomic.Int32
	left.Store(2)
	move := func(p, other *pump) {
		start(func() {
			c.settle(p.run(), other)
			if left.Add(-1) == 0 {
				c.Close()
				over()
			}
		})
	}
	move(c.up, c.down)
	move(c.down, c.up)
}

// settle acts on how one pump ended.
func (c *Connection) settle(how error, other *pump) {
	var write writeError
	var cut cutError
	switch {
	case errors.Is(how, errOver), errors.Is(how, io.EOF):
	case errors.As(how, &cut) && cut.how == fault.ByClose:
		// The other way goes on until the client, which has been told the end, has closed too; but not for long.
		other.src.closeWrite()
		time.AfterFunc(lingerTime, c.Close)
	case errors.As(how, &write):
		// The destination is gone. What it sent before still goes to the other side when it is due, and then the
		// other pump meets the reset too.
		if !other.ended.Load() && other.line.holds() {
			return
		}
		c.Reset()
	default:
		c.Reset()
	}
}

// Reset ends the connection with a RST to both sides: a stream that was cut never looks like one that ended.
func (c *Connection) Reset() {
	c.once.Do(func() {
		close(c.done)
		Abort(c.Client)
		if c.upstream != nil {
			Abort(c.upstream)
		}
	})
}

// Close ends a connection of which both ways have ended, or that a fault ends so.
func (c *Connection) Close() {
	c.once.Do(func() {
		close(c.done)
		_ = c.Client.Close()
		if c.upstream != nil {
			_ = c.upstream.Close()
		}
	})
}

// Refuse ends a connection that has no upstream yet.
func (c *Connection) Refuse(how fault.Ending) {
	if how == fault.ByClose {
		// A close with bytes unread would be a RST.
		_ = c.Client.CloseWrite()
		_ = c.Client.SetReadDeadline(time.Now().Add(lingerTime))
		_, _ = io.Copy(io.Discard, c.Client)
		c.Close()
		return
	}
	c.Reset()
}

// Abort closes with a RST. It fails only where the peer is gone already.
func Abort(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}
