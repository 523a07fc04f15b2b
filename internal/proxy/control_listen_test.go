package proxy_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mishap/internal/certs"
	"mishap/internal/freeport"
	"mishap/internal/nettest"
	"mishap/internal/proxy"
	"mishap/internal/proxy/control"
	"mishap/internal/proxy/listener"
)

// authority makes a CA in a folder of its own, and certificates for 127.0.0.1 that it signs.
func authority(t *testing.T) (issue func(name string) certs.Mutual) {
	t.Helper()
	dir := t.TempDir()
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	caKey, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	sign := func(name string, c *x509.Certificate, key *ecdsa.PrivateKey) string {
		der, err := x509.CreateCertificate(rand.Reader, c, ca, &key.PublicKey, caKey)
		if err != nil {
			t.Fatal(err)
		}
		return write(name+".pem", "CERTIFICATE", der)
	}
	caFile := sign("ca", ca, caKey)
	return func(name string) certs.Mutual {
		key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		der, _ := x509.MarshalECPrivateKey(key)
		return certs.Mutual{CA: caFile, Key: write(name+".key", "EC PRIVATE KEY", der), Cert: sign(name, &x509.Certificate{
			SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
			IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		}, key)}
	}
}

func TestControlOverTLSNeedsACertificateOfTheCA(t *testing.T) {
	issue, address := authority(t), "tcp://"+freeport.Address()
	serve(t, listener.Config{Name: "web", Listen: "127.0.0.1:0", Upstream: "127.0.0.1:1", Control: address, ControlTLS: issue("server")})
	client, err := control.NewSecureClient(address, issue("client"))
	if err != nil {
		t.Fatal(err)
	}
	if list, err := client.Proxies(t.Context()); err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	stranger, err := control.NewSecureClient(address, authority(t)("stranger"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]*control.Client{"a stranger": stranger, "nobody": control.NewClient(address)} {
		if _, err := c.Proxies(t.Context()); err == nil {
			t.Errorf("%s was let in", name)
		}
	}
}

func TestControlThatOthersReachNeedsTLS(t *testing.T) {
	for control, want := range map[string]string{
		"tcp://0.0.0.0:7000": "give controlTLS",
		"tcp://:7000":        "give controlTLS",
		"tcp://7000":         "write host:port",
	} {
		l := listener.Config{Name: "web", Listen: "127.0.0.1:0", Upstream: "127.0.0.1:1", Control: control}
		if err := proxy.Serve(t.Context(), proxy.Options{Listeners: []listener.Config{l}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", control, err, want)
		}
	}
	files := certs.Mutual{Cert: "none.pem", Key: "none.key", CA: "none.pem"}
	for control, want := range map[string]string{"tcp://0.0.0.0:7000": "read certificate \"none.pem\"", "c.sock": "leave controlTLS out"} {
		l := listener.Config{Name: "web", Listen: "127.0.0.1:0", Upstream: "127.0.0.1:1", Control: control, ControlTLS: files}
		if err := proxy.Serve(t.Context(), proxy.Options{Listeners: []listener.Config{l}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", control, err, want)
		}
	}
}

// TestAWebPageCannotPutFaultsIn: a browser on this machine reaches loopback too.
func TestAWebPageCannotPutFaultsIn(t *testing.T) {
	address := freeport.Address()
	serve(t, listener.Config{Name: "web", Listen: "127.0.0.1:0", Upstream: "127.0.0.1:1", Control: "tcp://" + address})
	if _, err := control.NewClient("tcp://" + address).Proxies(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*http.Request){
		"rebinding": func(r *http.Request) { r.Host = "evil.example:80" },
		"origin":    func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") },
	} {
		request, _ := http.NewRequest("DELETE", "http://"+address+"/v1/faults/f", nil)
		change(request)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %s", name, response.Status)
		}
	}
}

func TestMetricsTellWhatWasDelivered(t *testing.T) {
	address := freeport.Address()
	r := startWith(t, nettest.Serve(t, nettest.Echo), func(o *proxy.Options) { o.Listeners[0].Control = "tcp://" + address })
	r.Client = control.NewClient("tcp://" + address)
	r.put(delaying("slow", 20*time.Millisecond))
	ask(t, r.dial(), "hello")
	response, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	page, _ := io.ReadAll(response.Body)
	const labels = `proxy="web",fault="slow",kind="latency",run=""`
	for _, want := range []string{
		`mishap_proxy_connections_total{proxy="web"} 1`,
		`mishap_proxy_fault_open_in_force{` + labels + `} 1`,
		`mishap_proxy_fault_bytes_total{` + labels + `} 5`,
		`mishap_proxy_fault_requested_seconds_sum{` + labels + `} 0.02`,
		`mishap_proxy_fault_delivered_seconds_bucket{` + labels + `,le="0.01"} 0`,
		`mishap_proxy_fault_delivered_seconds_bucket{` + labels + `,le="60"} 1`,
		`mishap_proxy_fault_delivered_seconds_count{` + labels + `} 1`,
	} {
		if !strings.Contains(string(page), want+"\n") {
			t.Errorf("no %s in\n%s", want, page)
		}
	}
}
