// Package certs makes TLS configurations of files: certificates that are read
// again when they change, and the name that a client asks for.
package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"mishap"
)

// Pair names the PEM files of a certificate with its chain, and of its key.
type Pair struct{ Cert, Key string }

// lookEvery is how often the files are looked at, at most.
const lookEvery = time.Second

// settles is for how long a file system may take two writes for one, by the time that it says of them.
const settles = 3 * time.Second

// Certificate is one that follows its files. What is wrong with new ones is
// logged, and the old one stays: a certificate must not end what runs.
type Certificate struct {
	pair Pair
	log  *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	stamp   string // what the files looked like when they were last read
	looked  time.Time
}

// Load reads a certificate. It must be valid now, and the key must be its own.
func Load(pair Pair, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{pair: pair, log: log, stamp: stampOf(pair, time.Now()), looked: time.Now()}
	var err error
	if c.current, err = pair.read(time.Now()); err != nil {
		return nil, err
	}
	return c, nil
}

// read reads and checks the files.
func (p Pair) read(now time.Time) (*tls.Certificate, error) {
	got, err := tls.LoadX509KeyPair(p.Cert, p.Key)
	if err != nil {
		return nil, fmt.Errorf("read certificate %s with key %s: %w", p.Cert, p.Key, err)
	}
	switch leaf := got.Leaf; {
	case now.After(leaf.NotAfter):
		return nil, fmt.Errorf("read certificate %s: it expired at %s", p.Cert, mishap.Moment(leaf.NotAfter))
	case now.Before(leaf.NotBefore):
		return nil, fmt.Errorf("read certificate %s: it is valid from %s on", p.Cert, mishap.Moment(leaf.NotBefore))
	}
	return &got, nil
}

// stampOf is what the files look like from outside. One that has just been written may be written once more at what its file
// system takes for the same moment, and be as long: it looks like another with each look.
func stampOf(p Pair, now time.Time) string {
	text := ""
	for _, path := range []string{p.Cert, p.Key} {
		info, err := os.Stat(path)
		if err != nil {
			text += "missing "
			continue
		}
		text += fmt.Sprintf("%d %d ", info.Size(), info.ModTime().UnixNano())
		if now.Sub(info.ModTime()) < settles {
			text += fmt.Sprintf("at %d ", now.UnixNano())
		}
	}
	return text
}

// Get is the certificate as its files have it now, or as they had it last.
func (c *Certificate) Get() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if now.Sub(c.looked) < lookEvery {
		return c.current
	}
	c.looked = now
	stamp := stampOf(c.pair, now)
	if stamp == c.stamp {
		return c.current
	}
	next, err := c.pair.read(now)
	if err != nil {
		c.log.Error("certificate stays as it was", "error", err)
		return c.current // the files are looked at again: half of them may be written
	}
	if !next.Leaf.Equal(c.current.Leaf) {
		c.log.Info("certificate is another one", "file", c.pair.Cert, "expires", next.Leaf.NotAfter)
	}
	c.current, c.stamp = next, stamp
	return c.current
}

// Names are those that the certificate is for.
func (c *Certificate) Names() []string {
	leaf := c.Get().Leaf
	names := append([]string(nil), leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

// Server answers clients with the certificate. Protocols are those of ALPN. With
// clientCA, a PEM file, clients must show a certificate that it has signed.
func (c *Certificate) Server(clientCA string, protocols ...string) (*tls.Config, error) {
	config := &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: protocols,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.Get(), nil },
	}
	if clientCA == "" {
		return config, nil
	}
	pool, err := poolOf(clientCA)
	if err != nil {
		return nil, err
	}
	config.ClientCAs, config.ClientAuth = pool, tls.RequireAndVerifyClientCert
	return config, nil
}

// Client speaks TLS with a server. It always verifies it: against ca, a PEM
// file, or the system's authorities. Own may be nil.
func Client(serverName, ca string, own *Certificate, protocols ...string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: serverName, NextProtos: protocols}
	if own != nil {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return own.Get(), nil }
	}
	if ca == "" {
		return config, nil
	}
	pool, err := poolOf(ca)
	config.RootCAs = pool
	return config, err
}

func poolOf(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("read authorities %s: %w", path, errors.New("it holds no certificate"))
	}
	return pool, nil
}
