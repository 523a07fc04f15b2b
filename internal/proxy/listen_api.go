package proxy

import (
	"context"
	"fmt"
	"net"
	"net/http"
)

// ListenAPI takes host:port for another API of a process. Without a host that is this machine's loopback address; on an
// address that can be reached from elsewhere it wants mutual TLS.
func ListenAPI(ctx context.Context, address string, files TLSFiles) (net.Listener, error) {
	if err := validAddress(address, 0); err != nil {
		return nil, fmt.Errorf("listen on %q: %w", address, err)
	}
	host, port, _ := net.SplitHostPort(address)
	if host == "" {
		host = "127.0.0.1"
	}
	address = net.JoinHostPort(host, port)
	if !files.given() && !loopback(host) {
		return nil, fmt.Errorf("listen on %q: it can be reached from elsewhere, and whoever reaches it can cut every connection: "+
			"use 127.0.0.1, or give a certificate, its key and a CA for mutual TLS", address)
	}
	if files.given() {
		if _, err := files.load(); err != nil {
			return nil, err
		}
	}
	l, _, err := listenControl(ctx, tcpControl+address, files)
	return l, err
}

// FromHere says whether a request to a loopback address is of a program of this machine, and not of a web page that a
// browser shows.
func FromHere(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.Host)
	return err == nil && loopback(host) && r.Header.Get("Origin") == ""
}
