package proxy_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mishap"
	"mishap/injectors/proxy"
	"mishap/internal/injectortest"
	real "mishap/internal/proxy"
	"mishap/internal/proxy/control"
	wire "mishap/internal/proxy/fault"
	"mishap/internal/proxy/listener"
	"mishap/internal/proxy/registry"
)

// controls speaks to a real proxy, over a wire on which calls may go wrong.
type controls struct {
	c *control.Client
	w *injectortest.Wire
}

func (c controls) Put(ctx context.Context, f proxy.Fault) error {
	effect, err := wire.DecodeEffect(f.Kind, f.With)
	if err != nil {
		return err
	}
	return c.w.Call(ctx, "put", func(ctx context.Context) error {
		_, err = c.c.Put(ctx, wire.Fault{ID: f.ID, Run: f.Run, Proxy: f.Proxy, Effect: effect, Direction: wire.Direction(f.Direction), Share: f.Share, Seed: f.Seed, Expires: f.Expires})
		return translated(err)
	})
}

func (c controls) Get(ctx context.Context, id string) (status proxy.Status, err error) {
	err = c.w.Call(ctx, "get", func(ctx context.Context) error {
		s, err := c.c.Get(ctx, id)
		n := s.Stats
		status = proxy.Status{InForce: s.State == registry.InForce, Traffic: &mishap.Traffic{Connections: int64(n.Connections + n.Requests)}}
		if a := n.Arms; a != nil {
			status.Arms = &mishap.ArmsEffect{
				Treated: mishap.ArmCount{Control: int64(a.Control.Treated), Experiment: int64(a.Experiment.Treated)},
				Passed:  mishap.ArmCount{Control: int64(a.Control.Passed), Experiment: int64(a.Experiment.Passed)},
			}
		}
		return translated(err)
	})
	return status, err
}

func (c controls) Delete(ctx context.Context, id, run string) error {
	return c.w.Call(ctx, "delete", func(ctx context.Context) error {
		_, err := c.c.Retract(ctx, id, run)
		return translated(err)
	})
}

func (c controls) Own(ctx context.Context, name, run string, expires time.Duration, keep bool) ([]mishap.Disturbance, error) {
	owned, err := c.c.Own(ctx, name, registry.Owner{Run: run, Expires: expires, Renew: keep})
	var all []mishap.Disturbance
	for _, d := range owned.Disturbed {
		all = append(all, mishap.Disturbance{By: d.By, What: d.What, Since: time.Now().Add(-time.Duration(d.Ago))})
	}
	return all, translated(err)
}

func (c controls) Disown(ctx context.Context, name, run string) error {
	_, err := c.c.Disown(ctx, name, run)
	return translated(err)
}

func translated(err error) error {
	switch {
	case errors.Is(err, control.ErrNotRunning):
		return fmt.Errorf("%w: %w", proxy.ErrDown, err)
	case errors.Is(err, control.ErrNotFound), errors.Is(err, control.ErrEnded):
		return fmt.Errorf("%w: %w", proxy.ErrFaultOver, err)
	}
	return err
}

// startProxy starts a real proxy and returns its control socket.
func startProxy(t *testing.T, protocol string) string {
	t.Helper()
	socket, _ := startProxyTo(t, protocol, "127.0.0.1:9")
	return socket
}

// startProxyTo is startProxy with an upstream; it also gives the address of the proxy.
func startProxyTo(t *testing.T, protocol, upstream string) (socket, address string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "p.sock")
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan string, 1), make(chan error, 1)
	go func() {
		done <- real.Serve(ctx, real.Options{
			Listeners: []listener.Config{{Name: "payments", Listen: "127.0.0.1:0", Upstream: upstream, Control: socket, Protocol: protocol}},
			Ready:     func(list []registry.ProxyStatus) { ready <- list[0].Listen },
		})
	}()
	t.Cleanup(func() { cancel(); <-done })
	select {
	case address = <-ready:
	case err := <-done:
		done <- err
		t.Fatal(err)
	}
	return socket, address
}

func proxyDeps(socket string) proxy.Deps {
	return proxy.Deps{
		Lease:   time.Minute,
		Proxies: func() []proxy.Address { return []proxy.Address{{Name: "payments", Control: socket}} },
		Control: func(path string) proxy.Control { return controls{control.NewClient(path), &injectortest.Wire{}} },
	}
}

func latency(name string) mishap.Fault {
	return mishap.Fault{Name: "slow", Injector: "proxy-latency", Targets: raw(map[string]string{"proxy": name}), With: raw(map[string]string{"delay": "300ms"})}
}

// worlds are the worlds of all faults in a proxy.
func worlds() map[string]injectortest.World {
	all := map[string]injectortest.World{}
	for name, with := range parameters() {
		all[name], _ = proxyWorld(name, with)
	}
	return all
}

// parameters are some for each fault in a proxy.
func parameters() map[string]string {
	return map[string]string{
		"proxy-bandwidth":     `{"rate": "64KB"}`,
		"proxy-connect-delay": `{"delay": "1s"}`,
		"proxy-grpc-error":    `{"code": "UNAVAILABLE", "service": "shop.Cart", "share": "20%", "key": "header:X-User"}`,
		"proxy-http-abort":    `{"method": "GET", "path": "~/v[12]/.*", "maxActive": 3}`,
		"proxy-http-body":     `{"cut": "1KB", "rate": "10KB"}`,
		"proxy-http-error":    `{"status": 503, "answer": {"Retry-After": "1"}, "from": "10.0.0.0/8"}`,
		"proxy-http-header":   `{"request": {"remove": ["Authorization"]}, "cookies": {"beta": "*"}}`,
		"proxy-http-latency":  `{"delay": "300ms", "jitter": "30ms", "distribution": "pareto", "point": "response", "headers": {"X-Tier": "gold*"}}`,
		"proxy-latency":       `{"delay": "300ms", "jitter": "30ms", "distribution": "paretonormal", "correlation": "25%", "share": "50%"}`,
		"proxy-limit":         `{"bytes": "1MB", "how": "reset"}`,
		"proxy-loss":          `{"rate": "5%"}`,
		"proxy-refuse":        `{"share": "50%"}`,
		"proxy-reset":         `{"after": "10s"}`,
		"proxy-slicer":        `{"size": "64B", "vary": "8B"}`,
		"proxy-slow-close":    `{"delay": "1s"}`,
		"proxy-timeout":       `{"data": "drop", "direction": "both"}`,
	}
}

func proxyWorld(name, with string) (injectortest.World, proxy.Deps) {
	var socket string
	address := proxy.Address{Name: "payments"}
	switch {
	case name == "proxy-loss":
		address.Protocol = "udp"
	case strings.Contains(name, "http"), strings.Contains(name, "grpc"):
		address.Protocol = "http"
	}
	deps := proxyDeps("")
	deps.Proxies = func() []proxy.Address {
		address.Control = socket
		return []proxy.Address{address}
	}
	between := &injectortest.Wire{}
	deps.Control = func(path string) proxy.Control { return controls{control.NewClient(path), between} }
	w := world(deps, name)
	w.Fates = between.Judge
	w.Fault = func(t *testing.T) mishap.Fault {
		socket = startProxy(t, address.Protocol) // an id that has ended is not taken again
		return fault(name, `{"proxy": "payments"}`, with)
	}
	w.Granted = func() mishap.Uses { return mishap.Uses{Hosts: []string{"unix:" + socket}} } // of the settings
	w.Empty = fault(name, `{"proxy": "nobody"}`, with)
	w.Snapshot = func(t *testing.T) string {
		list, err := control.NewClient(socket).List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		text := ""
		for _, s := range list {
			if s.State == registry.InForce {
				text += s.Fault.ID + " "
			}
		}
		return text
	}
	return w, deps
}

func TestAFaultForStreamsIsNoTargetOnDatagrams(t *testing.T) {
	deps := proxyDeps(startProxy(t, "udp"))
	deps.Proxies = func() []proxy.Address {
		return []proxy.Address{{Name: "payments", Protocol: "udp"}}
	}
	if _, _, err := prepared(t, deps, fault("proxy-reset", `{"proxy": "payments"}`, ``)); !errors.Is(err, mishap.ErrNoTarget) {
		t.Errorf("prepare: %v", err)
	}
}

func TestAProxyThatIsNotRunningIsNoTargetAndHasNoFaults(t *testing.T) {
	deps := proxyDeps(filepath.Join(t.TempDir(), "nobody.sock"))
	injector, err := kind(deps, "proxy-latency").New(latency("payments"))
	if err != nil {
		t.Fatal(err)
	}
	var hinted *mishap.Hinted
	if _, err := injector.Prepare(t.Context(), mishap.Request{Fault: latency("payments")}); !errors.Is(err, mishap.ErrNoTarget) || !errors.As(err, &hinted) {
		t.Errorf("prepare: %v", err)
	}
	in := mishap.Injection{ID: "x", Injector: "proxy-latency", With: latency("payments").With, Undo: raw(map[string]string{"control": filepath.Join(t.TempDir(), "no.sock"), "proxy": "payments"})}
	if r, err := injector.Revert(t.Context(), in); err != nil || r.State != mishap.InjectionGone {
		t.Errorf("revert: %+v, %v", r, err)
	}
}

func TestAFaultThatEndedIsNotRenewed(t *testing.T) {
	socket := startProxy(t, "")
	deps := proxyDeps(socket)
	injector, err := kind(deps, "proxy-latency").New(latency("payments"))
	if err != nil {
		t.Fatal(err)
	}
	found, err := injector.Prepare(t.Context(), mishap.Request{Fault: latency("payments")})
	if err != nil {
		t.Fatal(err)
	}
	in := found[0]
	in.ID = "r.1.1"
	renewer := injector.(interface {
		Renew(context.Context, mishap.Injection) error
	})
	if err := injector.Inject(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if err := renewer.Renew(t.Context(), in); err != nil {
		t.Errorf("renew: %v", err)
	}
	if _, err := injector.Revert(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if err := renewer.Renew(t.Context(), in); !errors.Is(err, proxy.ErrFaultOver) {
		t.Errorf("renew after revert: %v", err)
	}
}
