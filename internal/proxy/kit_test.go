package proxy_test

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"mishap/internal/proxy"
	"mishap/internal/proxy/control"
	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/listener"
	"mishap/internal/proxy/proxytest"
	"mishap/internal/proxy/registry"
)

// patience bounds every wait; nothing is asserted about how long things take within it.
const patience = 2 * time.Minute

// eventually polls until ok holds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not so after %v: %s", patience, what)
		}
	}
}

// rig is a running server with one proxy, "web", and a client of its control API.
type rig struct {
	*control.Client
	t      testing.TB
	addr   string
	socket string
	stop   func() // ends Serve and waits for it; may be called again
}

// start runs a server until the end of the test.
func start(t testing.TB, upstream string) *rig {
	t.Helper()
	return startWith(t, upstream, func(o *proxy.Options) { o.Budget = 32 << 20 })
}

// startWith is start with other options.
func startWith(t testing.TB, upstream string, change func(*proxy.Options)) *rig {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "c.sock")
	o := proxy.Options{Listeners: []listener.Config{
		{Name: "web", Listen: "127.0.0.1:0", Upstream: upstream, Control: socket}}}
	change(&o)
	list, stop := serveWith(t, o)
	return &rig{control.NewClient(socket), t, list[0].Listen, socket, stop}
}

// serve runs Serve until the end of the test, or until stop, and gives what it told when it was ready.
func serve(t testing.TB, listeners ...listener.Config) (list []registry.ProxyStatus, stop func()) {
	t.Helper()
	return serveWith(t, proxy.Options{Listeners: listeners})
}

func serveWith(t testing.TB, o proxy.Options) (list []registry.ProxyStatus, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan []registry.ProxyStatus, 1), make(chan error, 1)
	o.Ready = func(l []registry.ProxyStatus) { ready <- l }
	go func() { ended <- proxy.Serve(ctx, o) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	select {
	case list = <-ready:
		t.Cleanup(stop)
		return list, stop
	case err := <-ended:
		cancel()
		t.Fatalf("Serve: %v", err)
		return nil, nil
	}
}

// dial opens a connection through the proxy that fails a test which hangs.
func (r *rig) dial() *net.TCPConn {
	r.t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	r.t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

// delaying is a plain fault on the proxy of a rig.
func delaying(id string, delay time.Duration) fault.Fault {
	return with(id, latency(delay, 0))
}

// with is a fault with an effect on the proxy of a rig.
func with(id string, e fault.Effect) fault.Fault { return proxytest.Fault(id, e) }

func latency(delay, jitter time.Duration) fault.Latency { return proxytest.Latency(delay, jitter) }

func (r *rig) put(f fault.Fault) registry.Status {
	r.t.Helper()
	s, err := r.Put(context.Background(), f)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

func (r *rig) get(id string) registry.Status {
	r.t.Helper()
	s, err := r.Get(context.Background(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

func (r *rig) remove(id string) registry.Status {
	r.t.Helper()
	s, err := r.Delete(context.Background(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// ask sends a message to an echo server and gives how long the answer took.
func ask(t testing.TB, c net.Conn, message string) time.Duration {
	t.Helper()
	begin := time.Now()
	if _, err := io.WriteString(c, message); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, len(message))
	if _, err := io.ReadFull(c, answer); err != nil {
		t.Fatal(err)
	}
	took := time.Since(begin)
	if string(answer) != message {
		t.Fatalf("asked %q, got %q", message, answer)
	}
	return took
}
