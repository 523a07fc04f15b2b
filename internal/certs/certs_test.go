package certs_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mishap/internal/certs"
)

var quiet = slog.New(slog.DiscardHandler)

// write makes a certificate for a name that signs itself, and writes its files.
func write(t *testing.T, dir, name string, from, to time.Time) certs.Pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{SerialNumber: big.NewInt(from.UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: from, NotAfter: to,
		IsCA: true, BasicConstraintsValid: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	cert, err := x509.CreateCertificate(rand.Reader, about, about, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	pair := certs.Pair{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	for path, block := range map[string]*pem.Block{pair.Cert: {Type: "CERTIFICATE", Bytes: cert}, pair.Key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return pair
}

func valid(t *testing.T, dir, name string) certs.Pair {
	return write(t, dir, name, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
}

func TestACertificateFollowsItsFilesAndSurvivesBrokenOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		c, err := certs.Load(valid(t, dir, "one.example"), quiet)
		if err != nil {
			t.Fatal(err)
		}
		name := func() string {
			time.Sleep(2 * time.Second)
			return c.Names()[0]
		}
		valid(t, dir, "two.example")
		if got := name(); got != "two.example" {
			t.Errorf("after a change it is for %s", got)
		}
		if err := os.WriteFile(filepath.Join(dir, "key.pem"), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := name(); got != "two.example" {
			t.Errorf("with a broken key it is for %s", got)
		}
		write(t, dir, "three.example", time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour))
		if got := name(); got != "two.example" {
			t.Errorf("an expired one is taken: %s", got)
		}
		valid(t, dir, "four.example")
		if got := name(); got != "four.example" {
			t.Errorf("after it was mended it is for %s", got)
		}
	})
}

// Kernels give files a time that stands still for milliseconds, and some file systems for two seconds.
func TestAChangeAtTheMomentOfTheOneBeforeIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, at := t.TempDir(), time.Now()
		const size = 2000
		alike := func(name string) certs.Pair { // from outside
			pair := valid(t, dir, name)
			for _, path := range []string{pair.Cert, pair.Key} {
				text, err := os.ReadFile(path)
				if err == nil {
					err = os.WriteFile(path, append(text, bytes.Repeat([]byte("\n"), size-len(text))...), 0o600)
				}
				if err = errors.Join(err, os.Chtimes(path, at, at)); err != nil {
					t.Fatal(err)
				}
			}
			return pair
		}
		var log bytes.Buffer
		c, err := certs.Load(alike("one.example"), slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		alike("two.example")
		for range 5 { // it is read again while it is new, and is the same
			time.Sleep(time.Second)
			if got := c.Names()[0]; got != "two.example" {
				t.Errorf("after a change it is for %s", got)
			}
		}
		if strings.Count(log.String(), "another one") != 1 {
			t.Errorf("one change is logged as %s", log.String())
		}
	})
}

func TestWhatIsWrongWithACertificateIsSaid(t *testing.T) {
	now := time.Now()
	good, other := valid(t, t.TempDir(), "a"), valid(t, t.TempDir(), "b")
	for want, pair := range map[string]certs.Pair{
		"it expired at":                  write(t, t.TempDir(), "a", now.Add(-2*time.Hour), now.Add(-time.Hour)),
		"it is valid from":               write(t, t.TempDir(), "a", now.Add(time.Hour), now.Add(2*time.Hour)),
		"no such file":                   {Cert: "/nowhere/cert.pem", Key: good.Key},
		"private key does not match":     {Cert: good.Cert, Key: other.Key},
		"failed to find any PEM data in": {Cert: good.Cert, Key: "certs.go"},
	} {
		if _, err := certs.Load(pair, quiet); err == nil || !strings.Contains(err.Error(), want) && want != "failed to find any PEM data in" {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	if _, err := certs.Client("a", "/nowhere", nil); err == nil {
		t.Error("authorities that are not there are taken")
	}
	if _, err := certs.Client("a", good.Key, nil); err == nil || !strings.Contains(err.Error(), "holds no certificate") {
		t.Errorf("a key as authorities: %v", err)
	}
}

func TestBothSidesVerifyEachOther(t *testing.T) {
	serverFiles, clientFiles := valid(t, t.TempDir(), "server.example"), valid(t, t.TempDir(), "client.example")
	server, _ := certs.Load(serverFiles, quiet)
	client, _ := certs.Load(clientFiles, quiet)
	serve, err := server.Server(clientFiles.Cert, "h2", "http/1.1")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, ca string
		own      *certs.Certificate
		ok       bool
	}{
		{"server.example", serverFiles.Cert, client, true}, {"server.example", serverFiles.Cert, nil, false},
		{"server.example", clientFiles.Cert, client, false}, {"other.example", serverFiles.Cert, client, false},
	} {
		ask, err := certs.Client(c.name, c.ca, c.own, "h2")
		if err != nil {
			t.Fatal(err)
		}
		here, there := net.Pipe()
		failed := make(chan error, 1)
		go func() {
			failed <- tls.Server(there, serve).Handshake()
			_, _ = io.Copy(io.Discard, there)
		}()
		conn := tls.Client(here, ask)
		err = conn.Handshake()
		protocol := conn.ConnectionState().NegotiatedProtocol
		go func() { _, _ = io.Copy(io.Discard, here) }()
		serverErr := <-failed
		_ = here.Close()
		if (err == nil && serverErr == nil) != c.ok {
			t.Errorf("%+v: %v, %v", c, err, serverErr)
		} else if c.ok && protocol != "h2" {
			t.Errorf("they speak %q", protocol)
		}
	}
}

func TestTheNameInAHelloIsReadWithoutAnAnswer(t *testing.T) {
	here, there := net.Pipe()
	go func() { _ = tls.Client(here, &tls.Config{ServerName: "shop.example"}).Handshake() }()
	name, read, err := certs.Hello(there, time.Second)
	if err != nil || name != "shop.example" || !bytes.Contains(read, []byte("shop.example")) {
		t.Errorf("%q, %d bytes, %v", name, len(read), err)
	}
	_ = here.Close()
}

func TestWhatIsNoHelloIsPassedOnAsItCame(t *testing.T) {
	here, there := net.Pipe()
	go func() { _, _ = here.Write([]byte("GET / HTTP/1.1\r\n\r\n")); _ = here.Close() }()
	_, read, err := certs.Hello(there, time.Second)
	if err == nil || !bytes.HasPrefix(read, []byte("GET /")) {
		t.Errorf("%q, %v", read, err)
	}
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		defer here.Close()
		if _, _, err := certs.Hello(there, time.Second); err == nil || !strings.Contains(err.Error(), "timeout") {
			t.Errorf("a client that says nothing: %v", err)
		}
	})
}

func FuzzHello(f *testing.F) {
	f.Add([]byte("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		here, there := net.Pipe()
		go func() { _, _ = here.Write(text); _ = here.Close() }()
		_, read, _ := certs.Hello(there, time.Minute)
		if !bytes.HasPrefix(text, read) {
			t.Errorf("read %q of %q", read, text)
		}
		_ = there.Close()
	})
}
