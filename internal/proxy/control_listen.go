package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"

	"mishap/internal/proxy/fault"
)

// tcpControl begins the address of a control API that is not a unix socket: tcp://host:port.
const tcpControl = "tcp://"

// TLSFiles are the paths of PEM files for mutual TLS. They are read anew for each connection, so that certificates are
// changed by changing files.
type TLSFiles struct {
	Cert string `json:"cert"`
	Key  string `json:"key"`
	CA   string `json:"ca"` // who must have signed the other side's certificate
}

func (f TLSFiles) given() bool { return f != TLSFiles{} }

// load reads the files and names what is wrong with them.
func (f TLSFiles) load() (*tls.Config, error) {
	certificate, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return nil, fmt.Errorf("read certificate %q and key %q: %w", f.Cert, f.Key, err)
	}
	ca, err := os.ReadFile(f.CA)
	if err != nil {
		return nil, fmt.Errorf("read CA: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("read CA %q: it holds no certificate in PEM", f.CA)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{certificate}, RootCAs: pool, ClientCAs: pool,
		ClientAuth: tls.RequireAndVerifyClientCert,
	}, nil
}

// validateControl checks the address of a control API.
func validateControl(address string, files TLSFiles) error {
	host, tcp := strings.CutPrefix(address, tcpControl)
	switch {
	case !tcp && files.given():
		return fmt.Errorf("control %q is a unix socket, which needs no TLS: leave controlTLS out", address)
	case !tcp:
		return nil
	}
	if err := validAddress(host, 0); err != nil {
		return fmt.Errorf("control %q: %w", address, err)
	}
	if name, _, _ := net.SplitHostPort(host); !files.given() && !loopback(name) {
		return fmt.Errorf("control %q can be reached from elsewhere: give controlTLS (certificate, key, ca), or use 127.0.0.1 or "+
			"a unix socket", address)
	}
	if !files.given() {
		return nil
	}
	_, err := files.load()
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

// listenControl takes the address of the control API; release gives it up.
func listenControl(ctx context.Context, address string, files TLSFiles) (l net.Listener, release func(), err error) {
	host, tcp := strings.CutPrefix(address, tcpControl)
	if !tcp {
		s, err := listenUnix(ctx, address)
		if err != nil {
			return nil, nil, err
		}
		return controlLimit().On(s), s.release, nil
	}
	var config net.ListenConfig
	l, err = config.Listen(ctx, "tcp", host)
	if err != nil {
		return nil, nil, fmt.Errorf("listen on control address %s: use a free port of this machine: %w", address, err)
	}
	l = controlLimit().On(l)
	if files.given() {
		l = tls.NewListener(l, &tls.Config{
			MinVersion:         tls.VersionTLS13,
			GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return files.load() },
		})
	}
	return l, func() { _ = l.Close() }, nil
}

// fromHere refuses requests to a loopback address that a web page made a browser send: their Host is the page's, by DNS
// rebinding, or they say whose page it was.
func fromHere(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !FromHere(r) {
			answer(func(*http.Request) (int, any, error) {
				return 0, nil, fault.Refused(http.StatusForbidden, "call it by 127.0.0.1 or localhost, and not from a web page",
					"host %q or origin %q is not this machine", r.Host, r.Header.Get("Origin"))
			})(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// NewSecureClient makes a client for a control API on tcp://host:port with mutual TLS.
func NewSecureClient(address string, files TLSFiles) (*Client, error) {
	host, tcp := strings.CutPrefix(address, tcpControl)
	if !tcp {
		return nil, errors.New("mutual TLS is for control addresses of the form tcp://host:port")
	}
	config, err := files.load()
	if err != nil {
		return nil, err
	}
	dialer, host := &tls.Dialer{Config: config}, callable(host)
	return newClient(address, func(ctx context.Context) (net.Conn, error) { return dialer.DialContext(ctx, "tcp", host) }), nil
}
