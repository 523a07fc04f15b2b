package listener

import (
	"context"
	"errors"
	"fmt"
	"mishap/internal/proxy/fault"
	"net"
	"os"
	"syscall"
)

// Ports are listening sockets that another server had, by network and address as its settings name them ("tcp
// 127.0.0.1:9001"). A server takes those of its own listeners over, with the clients that wait in them.
type Ports map[string]*os.File

// Port is what the settings call the port of a listener.
func (c Config) Port() string {
	if c.Protocol == fault.UDP {
		return "udp " + c.Listen
	}
	return "tcp " + c.Listen
}

// tcp gives the port of a listener: one that was handed over, or a new one.
func (p Ports) tcp(ctx context.Context, c Config) (net.Listener, error) {
	if f := p[c.Port()]; f != nil {
		return net.FileListener(f)
	}
	return new(net.ListenConfig).Listen(ctx, "tcp", c.Listen)
}

// udp is tcp for datagrams.
func (p Ports) udp(ctx context.Context, c Config) (net.PacketConn, error) {
	if f := p[c.Port()]; f != nil {
		return net.FilePacketConn(f)
	}
	return new(net.ListenConfig).ListenPacket(ctx, "udp", c.Listen)
}

// Close closes the files: what was taken over was duplicated.
func (p Ports) Close() {
	for _, f := range p {
		_ = f.Close()
	}
}

var errNotListening = errors.New("it does not listen")

// cannotListen says why the port could not be taken, and what to do.
func (c Config) cannotListen(err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("proxy %q cannot listen on %s: the port is in use; stop what uses it, or change listen: %w",
			c.Name, c.Listen, err)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("proxy %q may not listen on %s: use a port from 1024 up, or grant CAP_NET_BIND_SERVICE: %w",
			c.Name, c.Listen, err)
	default:
		return fmt.Errorf("proxy %q cannot listen on %s: use an address of this machine: %w", c.Name, c.Listen, err)
	}
}
