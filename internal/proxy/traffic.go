package proxy

import "sync/atomic"

// Traffic is how many bytes went through a proxy, over all its connections.
type Traffic struct {
	Up, Down Bytes // from the clients to the upstream, and back
}

// Bytes is what went one way.
type Bytes struct {
	Received uint64 // by the proxy
	Sent     uint64 // on by the proxy; less while bytes are held, and where a fault lost them
}

// add counts what a connection moved.
func (t *Traffic) add(c *connection) {
	if c.up == nil {
		return // its upstream was never reached
	}
	t.Up.add(&c.up.traffic)
	t.Down.add(&c.down.traffic)
}

// plus is the sum of both.
func (t Traffic) plus(u Traffic) Traffic {
	t.Up.Received, t.Up.Sent = t.Up.Received+u.Up.Received, t.Up.Sent+u.Up.Sent
	t.Down.Received, t.Down.Sent = t.Down.Received+u.Down.Received, t.Down.Sent+u.Down.Sent
	return t
}

func (b *Bytes) add(w *wayTraffic) {
	b.Received += w.received.Load()
	b.Sent += w.sent.Load()
}

// wayTraffic counts the bytes of one way of one connection.
type wayTraffic struct{ received, sent atomic.Uint64 }

// send is how a delay line sends.
func (p *pump) send(b []byte) error {
	n, err := p.dst.conn.Write(b)
	p.traffic.sent.Add(uint64(n))
	return err
}

// traffic is what went through the listener since it began.
func (l *listener) traffic() Traffic {
	l.mu.Lock()
	defer l.mu.Unlock()
	sum := l.past
	for c := range l.open {
		sum.add(c)
	}
	return sum
}
