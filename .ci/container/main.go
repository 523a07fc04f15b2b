// The command container is the application beside the proxy that .ci/check-container runs, and its tools, in an image without
// a shell.
//
//	container serve ADDRESS     answer every request
//	container ask URL           ask once; print the status and how many milliseconds it took
//	container certificates DIR  write ca.crt, tls.crt and tls.key, for localhost
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: container serve|ask|certificates ARGUMENT")
		os.Exit(2)
	}
	do := map[string]func(string) error{"serve": serve, "ask": ask, "certificates": certificates}[os.Args[1]]
	if err := do(os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(address string) error {
	return http.ListenAndServe(address, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "paid") }))
}

func ask(url string) error {
	begin := time.Now()
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	fmt.Println(resp.StatusCode, time.Since(begin).Milliseconds())
	return nil
}

func certificates(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "check"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	own := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "proxy"}, NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}}
	for name, cert := range map[string]*x509.Certificate{"ca.crt": ca, "tls.crt": own} {
		der, err := x509.CreateCertificate(rand.Reader, cert, ca, &key.PublicKey, key)
		if err != nil {
			return err
		}
		if err := write(dir, name, "CERTIFICATE", der, 0o644); err != nil {
			return err
		}
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return write(dir, "tls.key", "EC PRIVATE KEY", der, 0o440)
}

func write(dir, name, kind string, der []byte, mode os.FileMode) error {
	return os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode)
}
