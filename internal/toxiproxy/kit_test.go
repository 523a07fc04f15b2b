package toxiproxy_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mishap/internal/proxy"
	"mishap/internal/proxy/control"
	"mishap/internal/proxy/registry"
	"mishap/internal/toxiproxy"
)

// patience bounds every wait; nothing is asserted about how long things take within it.
const patience = 2 * time.Minute

// rig is a running server with the API.
type rig struct {
	t       testing.TB
	url     string
	address string
	control *control.Client
	stop    func() // ends it and waits; may be called again
}

// start runs a server without proxies until the end of the test.
func start(t testing.TB) *rig {
	t.Helper()
	return startWith(t, toxiproxy.Options{}, proxy.Options{})
}

func startWith(t testing.TB, o toxiproxy.Options, host proxy.Options) *rig {
	t.Helper()
	o.Address, o.Log = "127.0.0.1:0", slog.New(slog.DiscardHandler)
	api, err := toxiproxy.Listen(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(api.Close)
	socket := filepath.Join(t.TempDir(), "c.sock")
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan bool, 1), make(chan error, 1)
	host.API, host.Control, host.Ready = api, socket, func([]registry.ProxyStatus) { ready <- true }
	for i := range host.Listeners {
		host.Listeners[i].Control = socket
	}
	go func() { ended <- proxy.Serve(ctx, host) }()
	select {
	case <-ready:
	case err := <-ended:
		cancel()
		t.Fatal(err)
	}
	stop := sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Error("the server does not end")
		}
	})
	t.Cleanup(stop)
	return &rig{t, "http://" + api.Addr().String(), api.Addr().String(), control.NewClient(socket), stop}
}

// call sends a request and gives the answer.
func (r *rig) call(method, path, body string) (status int, answer string) {
	r.t.Helper()
	return ask(r.t, r.url, method, path, body)
}

// ok is call that must succeed.
func (r *rig) ok(method, path, body string) map[string]any {
	r.t.Helper()
	status, answer := r.call(method, path, body)
	if status >= 300 {
		r.t.Fatalf("%s %s %s: %d %s", method, path, body, status, answer)
	}
	var object map[string]any
	if answer != "" {
		_ = json.Unmarshal([]byte(answer), &object) // a list is nil
	}
	return object
}

func ask(t testing.TB, url, method, path, body string) (status int, answer string) {
	t.Helper()
	status, _, answer = askHeader(t, url, method, path, body)
	return status, answer
}

// askHeader is ask that also gives the header of the answer.
func askHeader(t testing.TB, url, method, path, body string) (status int, header http.Header, answer string) {
	t.Helper()
	request, err := http.NewRequest(method, url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Timeout: patience}
	response, err := client.Do(request)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(data)
}

// proxied creates a proxy and gives its address.
func (r *rig) proxied(name, upstream string) string {
	r.t.Helper()
	return r.ok("POST", "/proxies", `{"name": "`+name+`", "listen": "127.0.0.1:0", "upstream": "`+upstream+`"}`)["listen"].(string)
}

func (r *rig) toxic(name, body string) {
	r.t.Helper()
	r.ok("POST", "/proxies/"+name+"/toxics", body)
}

// flood sends until nobody takes it.
func flood(c *net.TCPConn) {
	for chunk := make([]byte, 1<<20); ; {
		if _, err := c.Write(chunk); err != nil {
			return
		}
	}
}

func dial(t testing.TB, address string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

// exchange sends a message to an echo server and gives how long the answer took.
func exchange(t testing.TB, c net.Conn, message string) time.Duration {
	t.Helper()
	begin := time.Now()
	if _, err := io.WriteString(c, message); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, len(message))
	if _, err := io.ReadFull(c, answer); err != nil || string(answer) != message {
		t.Fatalf("sent %q, got %q, %v", message, answer, err)
	}
	return time.Since(begin)
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not so after %v: %s", patience, what)
		}
	}
}

func writeFile(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
