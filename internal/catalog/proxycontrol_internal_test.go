package catalog

import (
	"context"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	proxyfault "mishap/injectors/proxy"
	"mishap/internal/proxy"
	"mishap/internal/proxy/control"
	"mishap/internal/proxy/listener"
	"mishap/internal/proxy/registry"
)

// TestAProxyThatWasStartedAnewCountsNothingOfAFaultOfBefore: zero would deny what met the fault.
func TestAProxyThatWasStartedAnewCountsNothingOfAFaultOfBefore(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "p.sock")
	p := proxyControl{control.NewClient(socket)}
	f := proxyfault.Fault{ID: "f", Run: "r", Proxy: "web", Kind: "refuse", With: json.RawMessage("{}"), Share: 1, Expires: time.Minute}

	stop := runProxy(t, socket)
	if err := p.Put(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	if s, err := p.Get(t.Context(), f.ID); err != nil || s.Traffic == nil {
		t.Errorf("in force: traffic %v, error %v", s.Traffic, err)
	}
	stop()

	defer runProxy(t, socket)()
	if err := p.Delete(t.Context(), f.ID, f.Run); err != nil {
		t.Fatal(err)
	}
	if s, err := p.Get(t.Context(), f.ID); err != nil || s.InForce || s.Traffic != nil {
		t.Errorf("after the proxy was started anew: in force %t, traffic %v, error %v", s.InForce, s.Traffic, err)
	}
}

// runProxy runs a proxy until it is stopped.
func runProxy(t *testing.T, socket string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- proxy.Serve(ctx, proxy.Options{
			Listeners: []listener.Config{{Name: "web", Listen: "127.0.0.1:0", Upstream: "127.0.0.1:9", Control: socket}},
			Ready:     func([]registry.ProxyStatus) { close(ready) },
		})
	}()
	select {
	case <-ready:
	case err := <-done:
		cancel()
		t.Fatal(err)
	}
	return func() { cancel(); <-done }
}
