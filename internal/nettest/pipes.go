package nettest

import (
	"context"
	"net"
	"sync"
)

// Pipes is a listener whose connections are pipes in memory, so that a server and its clients may be on fake time. Its zero
// value is not usable: see [NewPipes].
type Pipes struct {
	come chan net.Conn
	over chan struct{}
	once sync.Once
}

// NewPipes makes a listener.
func NewPipes() *Pipes { return &Pipes{come: make(chan net.Conn), over: make(chan struct{})} }

// Dial connects with the listener, whatever network and address it is asked for.
func (p *Pipes) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.come <- there:
		return here, nil
	case <-p.over:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept gives the next connection.
func (p *Pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.come:
		return c, nil
	case <-p.over:
		return nil, net.ErrClosed
	}
}

// Close ends the listener.
func (p *Pipes) Close() error {
	p.once.Do(func() { close(p.over) })
	return nil
}

// Addr is none that anybody can reach.
func (p *Pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "pipe"} }
