package listener

import (
	"context"
	"crypto/tls"
	"net"

	"mishap/internal/certs"
)

// ServerTLS is how a proxy answers clients that speak TLS. Files are PEM, and read again when they change.
type ServerTLS struct {
	Cert     string `json:"cert"`
	Key      string `json:"key"`
	ClientCA string `json:"clientCA,omitempty"` // clients must show a certificate that it has signed; empty: none
}

// ClientTLS is how a proxy speaks TLS with its upstream, whose certificate it always verifies.
type ClientTLS struct {
	ServerName string `json:"serverName,omitempty"` // in the upstream's certificate; default the host of upstream
	CA         string `json:"ca,omitempty"`         // PEM file of authorities; default those of the system
	Cert       string `json:"cert,omitempty"`       // of this proxy, if the upstream wants one
	Key        string `json:"key,omitempty"`
}

// secure reads the certificates, and makes what dials the upstream.
func (l *HTTP) secure() error {
	if t := l.TLS; t != nil {
		cert, err := certs.Load(certs.Pair{Cert: t.Cert, Key: t.Key}, l.log)
		if err != nil {
			return err
		}
		if l.tls, err = cert.Server(t.ClientCA, "h2", "http/1.1"); err != nil {
			return err
		}
	}
	plain := func(ctx context.Context) (net.Conn, error) { return dial(ctx, l.Upstream) }
	l.server.Dial = l.telling(plain)
	if l.UpstreamTLS == nil {
		return nil
	}
	http1, err := l.originate("http/1.1")
	if err != nil {
		return err
	}
	http2, err := l.originate("h2", "http/1.1")
	if err != nil {
		return err
	}
	l.server.Dial = l.telling(func(ctx context.Context) (net.Conn, error) { return handshake(ctx, plain, http1) })
	l.server.DialHTTP2 = l.telling(func(ctx context.Context) (net.Conn, error) { return handshake(ctx, plain, http2) })
	return nil
}

// telling is a dial whose failures people are told of.
func (l *HTTP) telling(dial func(context.Context) (net.Conn, error)) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		conn, err := dial(ctx)
		if err != nil {
			l.trouble.Met("cannot reach "+l.Upstream, err)
		}
		return conn, err
	}
}

func (l *HTTP) originate(protocols ...string) (*tls.Config, error) {
	t := l.UpstreamTLS
	var own *certs.Certificate
	if t.Cert != "" {
		var err error
		if own, err = certs.Load(certs.Pair{Cert: t.Cert, Key: t.Key}, l.log); err != nil {
			return nil, err
		}
	}
	name := t.ServerName
	if name == "" {
		name, _, _ = net.SplitHostPort(l.Upstream)
	}
	return certs.Client(name, t.CA, own, protocols...)
}

func handshake(ctx context.Context, dial func(context.Context) (net.Conn, error), config *tls.Config) (net.Conn, error) {
	conn, err := dial(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return secure, nil
}
