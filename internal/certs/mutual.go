package certs

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// Mutual are the paths of PEM files for mutual TLS. They are read anew for each connection, so that certificates are
// changed by changing files.
type Mutual struct {
	Cert string `json:"cert"`
	Key  string `json:"key"`
	CA   string `json:"ca"` // who must have signed the other side's certificate
}

// Given says whether there are any.
func (m Mutual) Given() bool { return m != Mutual{} }

// Load reads the files and names what is wrong with them. What it gives is for either side.
func (m Mutual) Load() (*tls.Config, error) {
	certificate, err := tls.LoadX509KeyPair(m.Cert, m.Key)
	if err != nil {
		return nil, fmt.Errorf("read certificate %q and key %q: %w", m.Cert, m.Key, err)
	}
	ca, err := os.ReadFile(m.CA)
	if err != nil {
		return nil, fmt.Errorf("read CA: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("read CA %q: it holds no certificate in PEM", m.CA)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{certificate}, RootCAs: pool, ClientCAs: pool,
		ClientAuth: tls.RequireAndVerifyClientCert,
	}, nil
}

// Server is for a listener: every connection reads the files.
func (m Mutual) Server() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return m.Load() },
	}
}
