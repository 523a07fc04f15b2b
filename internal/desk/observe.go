package desk

import (
	"context"
	"time"

	"mishap"
	"mishap/internal/callers"
	"mishap/internal/report"
)

// lookEvery is how often an observation takes over what the proxy has recorded, so that little is lost of much traffic.
const lookEvery = 500 * time.Millisecond

// Observe watches the live traffic of a proxy, in which it puts no fault, for a while or until ctx ends.
func (d *Desk) Observe(ctx context.Context, name, id string, while time.Duration) (report.Observed, error) {
	settings, err := d.catalog.Proxy(name)
	if err != nil {
		return report.Observed{}, err
	}
	w, err := d.catalog.WatchCallers(name, id)
	if err != nil {
		return report.Observed{}, err
	}
	first, err := w.Look(ctx)
	if err != nil {
		return report.Observed{}, err
	}
	o := report.Observed{Proxy: name, Listen: settings.Listen, Upstream: settings.Upstream, Protocol: first.Protocol, At: time.Now()}
	end, tick := time.NewTimer(while), time.NewTicker(lookEvery)
	defer end.Stop()
	defer tick.Stop()
	for done := false; !done; {
		select {
		case <-tick.C:
		case <-end.C:
			done = true
		case <-ctx.Done():
			done = true
		}
		// The last look is also for what came since the one before, whatever ended the watch.
		if _, err := w.Look(context.WithoutCancel(ctx)); err != nil {
			return o, err
		}
	}
	o.Callers = callers.Analyse(w.Last(time.Since(o.At), ""))
	o.For = mishap.Duration(time.Since(o.At).Round(100 * time.Millisecond))
	client, err := d.catalog.ProxyClient(settings.Control)
	if err != nil {
		return o, err
	}
	now, err := client.Proxies(context.WithoutCancel(ctx))
	for _, p := range now {
		if p.Name == name {
			o.Listen, o.Faults, o.Left = p.Listen, p.Faults, p.Left
		}
	}
	return o, err
}
