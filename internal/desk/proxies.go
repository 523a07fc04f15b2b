package desk

import (
	"context"
	"sync"
	"time"

	"mishap/internal/api"
	"mishap/internal/config"
)

// proxyWithin is how long a proxy is asked how it is.
const proxyWithin = 2 * time.Second

// Proxies are those of the settings, and how each is.
func (d *Desk) Proxies(ctx context.Context) []api.ProxyView {
	ctx, cancel := context.WithTimeout(ctx, proxyWithin)
	defer cancel()
	all := make([]api.ProxyView, len(d.settings.Proxies))
	var asked sync.WaitGroup
	for i, p := range d.settings.Proxies {
		asked.Go(func() { all[i] = d.proxy(ctx, p) })
	}
	asked.Wait()
	return all
}

func (d *Desk) proxy(ctx context.Context, p config.Proxy) api.ProxyView {
	v := api.ProxyView{Name: p.Name, Listen: p.Listen, Upstream: p.Upstream, Protocol: p.Protocol}
	client, err := d.catalog.ProxyClient(p.Control)
	if err != nil {
		v.Problem = err.Error()
		return v
	}
	now, err := client.Proxies(ctx)
	if err != nil {
		v.Problem = err.Error()
		return v
	}
	for _, s := range now {
		if s.Name != p.Name {
			continue
		}
		v.Listen, v.Upstream, v.Protocol, v.Open, v.Total, v.Requests, v.Faults, v.Run = s.Listen, s.Upstream, s.Protocol, s.Open, s.Total, s.Requests, s.Faults, s.Run
		if s.Trouble != nil {
			v.Trouble = s.Trouble.What
		}
		return v
	}
	v.Problem = "the process there has no proxy of that name: it began with other settings"
	return v
}
