package httpapi

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"

	"mishap"
	"mishap/internal/ledger"
	"mishap/internal/socket"
)

// Listen opens the address of the API; nil if it has none. Beyond this machine it
// needs a certificate and tokens.
func (a *API) Listen(ctx context.Context) (net.Listener, error) {
	listen, server := a.settings.Listen, a.settings.Server
	if listen == "" || listen == "none" {
		return nil, nil
	}
	if err := a.settings.Beyond(a.settings.Live()); err != nil {
		return nil, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return nil, mishap.WithHint(fmt.Errorf("listen on %s: %w", listen, err), "choose another address with --listen or `listen` in the settings")
	}
	listener = apiLimit().On(listener)
	if server.TLS.Cert == "" {
		return listener, nil
	}
	cert, err := tls.LoadX509KeyPair(server.TLS.Cert, server.TLS.Key)
	if err != nil {
		_ = listener.Close()
		return nil, mishap.Invalid(fmt.Errorf("read certificate of the API: %w", err))
	}
	return tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}), nil
}

// Serve answers on the listener, if there is one, and on a socket for this
// user alone, until the function is called.
func (a *API) Serve(ctx context.Context, listener net.Listener) (func(), error) {
	path := a.member.SocketPath("api")
	// That no other one lives is said by the kernel, and not by a socket, which may be full or removed.
	alone, err := ledger.Exclude(filepath.Join(a.settings.State, "servers", "serve.alone"))
	if errors.Is(err, ledger.ErrExcluded) {
		return nil, mishap.Refusal(mishap.WithHint(fmt.Errorf("serve: another server uses %s already", a.settings.State), "one server per state directory is enough; several share a ledger on PostgreSQL"))
	}
	if err != nil {
		return nil, fmt.Errorf("serve: %w", err)
	}
	socket.Remove(path) // of a server that was killed
	own, err := socket.Listen(ctx, path)
	if err != nil {
		return nil, errors.Join(err, alone())
	}
	var servers []*http.Server
	serve := func(l net.Listener, h http.Handler) {
		server := socket.Server(h)
		servers = append(servers, server)
		go func() { _ = server.Serve(l) }()
	}
	serve(ownLimit().On(own), a.OwnHandler())
	if listener != nil {
		serve(listener, a.Handler())
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	summed := make(chan struct{})
	go func() { a.audit.sumLoop(ctx); close(summed) }()
	return func() {
		for _, server := range servers {
			_ = server.Close()
		}
		cancel()
		<-summed
		_ = alone()
	}, nil
}
