package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"mishap"
	"mishap/internal/certs"
	"mishap/internal/proxy"
	"mishap/internal/proxy/listener"
	"mishap/internal/proxy/registry"
	"mishap/internal/toxiproxy"
)

// ServeProxies runs the proxies of the settings until ctx ends, and Toxiproxy's API if it is given an address for it.
// Ready is called once all of them listen, with the API's real address.
func (a *App) ServeProxies(ctx context.Context, o proxy.Options, toxi toxiproxy.Options, ready func([]registry.ProxyStatus, net.Addr)) error {
	var listeners []listener.Config
	for _, p := range a.Settings.Proxies {
		listeners = append(listeners, listener.Config{Name: p.Name, Listen: p.Listen, Upstream: p.Upstream, Protocol: p.Protocol, Control: p.Control, ControlTLS: certs.Mutual(p.ControlTLS),
			SNI: p.SNI, Edge: p.Edge, Egress: p.Egress, TLS: (*listener.ServerTLS)(p.TLS), UpstreamTLS: (*listener.ClientTLS)(p.UpstreamTLS)})
	}
	if listeners == nil && toxi.Address == "" {
		return mishap.Invalid(mishap.WithHint(errors.New("the settings have no proxies"), "list them in mishap.yaml: proxies: [{name: payments, listen: \"127.0.0.1:9001\", upstream: \"127.0.0.1:9000\"}]"))
	}
	o.Listeners, o.Log, o.Control = listeners, cmp.Or(o.Log, a.log), filepath.Join(a.Settings.State, "proxy.sock")
	if len(listeners) > 0 {
		o.Control = listeners[0].Control // one for all
	}
	if !strings.HasPrefix(o.Control, "tcp://") {
		if err := os.MkdirAll(filepath.Dir(o.Control), 0o700); err != nil {
			return fmt.Errorf("make folder for control socket: %w", err)
		}
	}
	var address net.Addr
	if toxi.Address != "" {
		toxi.Log = a.log
		api, err := toxiproxy.Listen(ctx, toxi)
		var system *net.OpError
		switch {
		case errors.As(err, &system):
			return err
		case err != nil:
			return mishap.Invalid(err)
		}
		defer api.Close()
		o.API, address = api, api.Addr()
	}
	o.Ready = func(list []registry.ProxyStatus) { ready(list, address) }
	return proxy.Serve(ctx, o)
}
