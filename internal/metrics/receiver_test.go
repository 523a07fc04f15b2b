package metrics_test

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"testing"

	"mishap/internal/metrics"
)

func TestRequestsThatAreNoExportsAreRefused(t *testing.T) {
	r := receive(t)
	for name, c := range map[string]struct {
		body    string
		headers []string
		status  int
	}{
		"another type":  {"{}", []string{"Content-Type", "text/plain"}, 415},
		"not JSON":      {"{", nil, 400},
		"not gzip":      {"{}", []string{"Content-Encoding", "gzip"}, 400},
		"zstd":          {"{}", []string{"Content-Encoding", "zstd"}, 415},
		"not protobuf":  {"\xff\xff", []string{"Content-Type", "application/x-protobuf"}, 400},
		"nothing in it": {"{}", nil, 200},
		"too large":     {packed(17 << 20), []string{"Content-Encoding", "gzip"}, 413},
	} {
		if status, text := post(t, r, c.body, c.headers...); status != c.status {
			t.Errorf("%s: status %d: %s", name, status, text)
		}
	}
	response, err := http.Get("http://" + r.Addr() + "/v1/metrics")
	if err != nil || response.StatusCode != 405 {
		t.Errorf("GET: %v, %v", response, err)
	}
}

// A web page whose name was pointed to this machine sends with that name.
func TestTheReceiverOfThisMachineIsNotAskedByAnotherName(t *testing.T) {
	r := receive(t)
	_, port, _ := net.SplitHostPort(r.Addr())
	for host, want := range map[string]int{"evil.example": 403, "evil.example:" + port: 403, "localhost.evil.example": 403, "": 200, "localhost:" + port: 200, "[::1]:" + port: 200, "127.0.0.1": 200} {
		request, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+r.Addr()+"/v1/metrics", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		request.Host = host
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("Host %q: %d, want %d", host, response.StatusCode, want)
		}
	}
}

func packed(size int) string {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(make([]byte, size))
	_ = w.Close()
	return out.String()
}

func TestOtherMachinesNeedTLSAndAToken(t *testing.T) {
	for _, c := range []metrics.ReceiverConfig{{Listen: "0.0.0.0:0"}, {Listen: ":0", Token: "t"}, {Listen: "[::]:0", TLS: &tls.Config{}}, {Listen: "nonsense"}} {
		if r, err := metrics.Receive(t.Context(), c); err == nil {
			t.Errorf("%s: listens on %s", c.Listen, r.Addr())
			_ = r.Close()
		}
	}
	r, err := metrics.Receive(t.Context(), metrics.ReceiverConfig{Listen: "127.0.0.1:0", Token: "hunter2"})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for token, want := range map[string]int{"": 401, "Bearer wrong": 401, "Bearer hunter2": 200} {
		if status, _ := post(t, r, "{}", "Authorization", token); status != want {
			t.Errorf("token %q: status %d", token, status)
		}
	}
}
