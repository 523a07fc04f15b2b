package stream

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

// Traffic is what the connection has moved; nothing where its upstream was never reached.
func (c *Connection) Traffic() Traffic {
	if c.up == nil {
		return Traffic{}
	}
	return Traffic{Up: c.up.traffic.bytes(), Down: c.down.traffic.bytes()}
}

// Plus is the sum of both.
func (t Traffic) Plus(u Traffic) Traffic {
	t.Up.Received, t.Up.Sent = t.Up.Received+u.Up.Received, t.Up.Sent+u.Up.Sent
	t.Down.Received, t.Down.Sent = t.Down.Received+u.Down.Received, t.Down.Sent+u.Down.Sent
	return t
}

// wayTraffic counts the bytes of one way of one connection.
type wayTraffic struct{ received, sent atomic.Uint64 }

func (w *wayTraffic) bytes() Bytes { return Bytes{Received: w.received.Load(), Sent: w.sent.Load()} }

// send is how a delay line sends.
func (p *pump) send(b []byte) error {
	n, err := p.dst.conn.Write(b)
	p.traffic.sent.Add(uint64(n))
	return err
}
