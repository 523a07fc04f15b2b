package catalog

import (
	"context"
	"fmt"
	"slices"
	"time"

	"mishap"
)

// leftWithin is how long proxies may take to say what a restart left.
const leftWithin = 5 * time.Second

// LeftBehind names the connections that a restart left in the processes of proxies before, for the proxies of injections;
// nil: for all of the settings. A proxy that does not run has none, and one that does not answer is told of elsewhere.
func (c *Catalog) LeftBehind(ctx context.Context, of []mishap.Injection) []string {
	ctx, cancel := context.WithTimeout(ctx, leftWithin)
	defer cancel()
	var texts, asked []string
	for _, p := range c.settings.Proxies {
		if slices.Contains(asked, p.Control) {
			continue
		}
		asked = append(asked, p.Control)
		client, err := c.ProxyClient(p.Control)
		if err != nil {
			continue
		}
		all, err := client.Proxies(ctx)
		if err != nil {
			continue
		}
		for _, now := range all {
			if now.Left > 0 && (of == nil || slices.ContainsFunc(of, onProxy(now.Name))) {
				texts = append(texts, fmt.Sprintf("proxy %s: open connections that a restart left in the process before: %d; faults reach them too, but arms and `observe` do not", now.Name, now.Left))
			}
		}
	}
	return texts
}

// onProxy says of an injection whether its target is the proxy.
func onProxy(name string) func(mishap.Injection) bool {
	return func(in mishap.Injection) bool { return in.Target.Kind == "proxy" && in.Target.ID == name }
}
