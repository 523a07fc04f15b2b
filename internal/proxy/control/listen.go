package control

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strings"

	"mishap/internal/certs"
	"mishap/internal/socket"
)

// tcpControl begins the address of a control API that is not a unix socket: tcp://host:port.
const tcpControl = "tcp://"

// mostControl connections of each API, or a sixteenth of the file descriptors that the process may have.
const mostControl = 128

// Validate checks the address of a control API.
func Validate(address string, files certs.Mutual) error {
	host, tcp := strings.CutPrefix(address, tcpControl)
	switch {
	case !tcp && files.Given():
		return fmt.Errorf("control %q is a unix socket, which needs no TLS: leave controlTLS out", address)
	case !tcp:
		return nil
	}
	if err := socket.CheckAddress(host, 0); err != nil {
		return fmt.Errorf("control %q: %w", address, err)
	}
	if name, _, _ := net.SplitHostPort(host); !files.Given() && !loopback(name) {
		return fmt.Errorf("control %q can be reached from elsewhere: give controlTLS (certificate, key, ca), or use 127.0.0.1 or "+
			"a unix socket", address)
	}
	if !files.Given() {
		return nil
	}
	_, err := files.Load()
	return err
}

// callable is an address that a listening one is called by, on this machine: one on every interface is called by localhost.
func callable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("localhost", port)
	}
	return address
}

// loopback says whether a host is this machine for sure.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// listen takes the address of the control API; release gives it up.
func listen(ctx context.Context, address string, files certs.Mutual) (l net.Listener, release func(), err error) {
	host, tcp := strings.CutPrefix(address, tcpControl)
	if !tcp {
		s, err := listenUnix(ctx, address)
		if err != nil {
			return nil, nil, err
		}
		return limit().On(s), s.release, nil
	}
	var config net.ListenConfig
	l, err = config.Listen(ctx, "tcp", host)
	if err != nil {
		return nil, nil, fmt.Errorf("listen on control address %s: use a free port of this machine: %w", address, err)
	}
	l = limit().On(l)
	if files.Given() {
		l = tls.NewListener(l, files.Server())
	}
	return l, func() { _ = l.Close() }, nil
}

// limit is that of the control API, and of another API of the process.
func limit() socket.Limit {
	all := socket.Share(16, mostControl)
	return socket.Limit{All: all, Each: all}
}

// ListenAPI takes host:port for another API of a process. Without a host that is this machine's loopback address; on an
// address that can be reached from elsewhere it wants mutual TLS.
func ListenAPI(ctx context.Context, address string, files certs.Mutual) (net.Listener, error) {
	if err := socket.CheckAddress(address, 0); err != nil {
		return nil, fmt.Errorf("listen on %q: %w", address, err)
	}
	host, port, _ := net.SplitHostPort(address)
	if host == "" {
		host = "127.0.0.1"
	}
	address = net.JoinHostPort(host, port)
	if !files.Given() && !loopback(host) {
		return nil, fmt.Errorf("listen on %q: it can be reached from elsewhere, and whoever reaches it can cut every connection: "+
			"use 127.0.0.1, or give a certificate, its key and a CA for mutual TLS", address)
	}
	if files.Given() {
		if _, err := files.Load(); err != nil {
			return nil, err
		}
	}
	l, _, err := listen(ctx, tcpControl+address, files)
	return l, err
}

// FromHere says whether a request to a loopback address is of a program of this machine, and not of a web page that a
// browser shows.
func FromHere(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.Host)
	return err == nil && loopback(host) && r.Header.Get("Origin") == ""
}
