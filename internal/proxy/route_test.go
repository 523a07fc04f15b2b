package proxy_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mishap/internal/proxy"
	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/listener"
)

func TestConnectionsGoWhereTheirNameInTLSSaysAndKeepTheirFaults(t *testing.T) {
	service := func(name string) *httptest.Server {
		s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, name) }))
		t.Cleanup(s.Close)
		return s
	}
	usual, pay, wild := service("usual"), service("pay"), service("wild")
	r := startWith(t, usual.Listener.Addr().String(), func(o *proxy.Options) {
		o.Listeners[0].SNI = map[string]string{"pay.example.com": pay.Listener.Addr().String(), "*.example.com": wild.Listener.Addr().String()}
	})
	pool := x509.NewCertPool()
	pool.AddCert(usual.Certificate()) // the same for all test servers
	ask := func(name string) string {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: name, InsecureSkipVerify: true}}
		defer transport.CloseIdleConnections()
		resp, err := (&http.Client{Transport: transport, Timeout: patience}).Get("https://" + r.addr)
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return string(text)
	}
	for name, want := range map[string]string{"pay.example.com": "pay", "shop.example.com": "wild", "a.b.example.com": "wild", "example.com": "usual", "other.org": "usual"} {
		if got := ask(name); got != want {
			t.Errorf("%s goes to %s, want %s", name, got, want)
		}
	}
	const delay = 20 * time.Millisecond
	f := delaying("slow", delay)
	f.Direction = fault.Upstream
	r.put(f)
	if begin, got := time.Now(), ask("pay.example.com"); got != "pay" || time.Since(begin) < delay {
		t.Errorf("with a fault: %s after %s", got, time.Since(begin))
	}
	// What is no TLS goes the usual way, as it came.
	c := r.dial()
	if _, err := io.WriteString(c, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if text, _ := io.ReadAll(c); !strings.Contains(string(text), "HTTP request to an HTTPS server") {
		t.Errorf("plain: %q", text)
	}
}

func TestAClientThatWasNotRedirectedHasNoOriginalDestination(t *testing.T) {
	r := startWith(t, "", func(o *proxy.Options) { o.Listeners[0].Upstream = listener.Original })
	if c, err := net.Dial("tcp", r.addr); err == nil {
		t.Cleanup(func() { c.Close() })
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("it has an answer")
		}
	}
	eventually(t, "it is counted as refused", func() bool { list, err := r.Proxies(t.Context()); return err == nil && list[0].Refused == 1 })
}

func TestRoutesThatCannotWorkAreNamed(t *testing.T) {
	l := listener.Config{Name: "web", Listen: "127.0.0.1:0", Upstream: listener.Original, Protocol: fault.HTTP, Control: "c.sock",
		SNI: map[string]string{"Pay.Example": "1.2.3.4", "a.*": "h:1"}}
	err := proxy.Serve(t.Context(), proxy.Options{Listeners: []listener.Config{l}})
	for _, want := range []string{"routes by the name in TLS", `the name "Pay.Example"`, `the name "a.*"`, `to "1.2.3.4": write host:port`, "upstream original"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("it does not say %q: %v", want, err)
		}
	}
}
