package catalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mishap"
	proxyfault "mishap/injectors/proxy"
	"mishap/internal/certs"
	"mishap/internal/proxy/control"
	"mishap/internal/proxy/fault"
	"mishap/internal/proxy/registry"
)

// proxyControl lets an injector speak to the control API of a proxy.
type proxyControl struct{ client *control.Client }

// proxyControl gives the control API at an address.
func (c *Catalog) proxyControl(address string) proxyfault.Control {
	client, err := c.ProxyClient(address)
	if err != nil {
		return unreadable{err}
	}
	return proxyControl{client}
}

// ProxyClient calls the control API at an address, with the certificate that the settings give for it.
func (c *Catalog) ProxyClient(address string) (*control.Client, error) {
	for _, p := range c.settings.Proxies {
		if p.Control == address && p.ControlTLS.Cert != "" {
			return control.NewSecureClient(address, certs.Mutual(p.ControlTLS))
		}
	}
	return control.NewClient(address), nil
}

// unreadable is a control API whose certificates cannot be read: nothing is known of its faults.
type unreadable struct{ err error }

// Put gives the error.
func (u unreadable) Put(context.Context, proxyfault.Fault) error { return u.err }

// Get gives the error.
func (u unreadable) Get(context.Context, string) (proxyfault.Status, error) {
	return proxyfault.Status{}, u.err
}

// Delete gives the error.
func (u unreadable) Delete(context.Context, string, string) error { return u.err }

// Own gives the error.
func (u unreadable) Own(context.Context, string, string, time.Duration, bool) ([]mishap.Disturbance, error) {
	return nil, u.err
}

// Disown gives the error.
func (u unreadable) Disown(context.Context, string, string) error { return u.err }

// Put puts the fault in, or renews it.
func (p proxyControl) Put(ctx context.Context, f proxyfault.Fault) error {
	effect, err := fault.DecodeEffect(f.Kind, f.With)
	if err != nil {
		return fmt.Errorf("put fault %q: %w", f.ID, err)
	}
	_, err = p.client.Put(ctx, fault.Fault{
		ID: f.ID, Run: f.Run, Proxy: f.Proxy, Effect: effect,
		Direction: fault.Direction(f.Direction), Seed: f.Seed, Share: f.Share, Expires: f.Expires,
	})
	return translate(err)
}

// Get asks what the fault did.
func (p proxyControl) Get(ctx context.Context, id string) (proxyfault.Status, error) {
	s, err := p.client.Get(ctx, id)
	if err != nil {
		return proxyfault.Status{}, translate(err)
	}
	return proxyfault.Status{
		Arms:    byArm(s.Stats.Arms),
		Left:    int64(s.Stats.InForceOn.Left),
		InForce: s.State == registry.InForce,
		Detail:  told(s),
		Traffic: counted(s),
	}, nil
}

// counted is what the proxy counted of a fault; nil if it knows no more of it than that its id is over.
func counted(s registry.Status) *mishap.Traffic {
	if s.Started.IsZero() {
		return nil
	}
	d, n := s.Stats.Delivered, s.Stats
	return &mishap.Traffic{
		Connections: int64(n.Connections + n.Requests), Requests: n.Requests > 0, Bytes: int64(n.Bytes + n.Dropped), Count: int64(n.Felt()),
		Mean: mishap.Duration(d.Mean), P50: mishap.Duration(d.P50), P99: mishap.Duration(d.P99), Max: mishap.Duration(d.Max),
	}
}

// byArm is what a fault that is confined to an arm did.
func byArm(a *registry.ByArm) *mishap.ArmsEffect {
	if a == nil {
		return nil
	}
	count := func(of func(registry.ArmEffect) uint64) mishap.ArmCount {
		return mishap.ArmCount{Control: int64(of(a.Control)), Experiment: int64(of(a.Experiment))}
	}
	return &mishap.ArmsEffect{
		Treated: count(func(e registry.ArmEffect) uint64 { return e.Treated }),
		Passed:  count(func(e registry.ArmEffect) uint64 { return e.Passed }),
	}
}

// told is what the proxy says of a fault, in a sentence.
func told(s registry.Status) string {
	text := "the proxy says: " + string(s.State)
	if on := s.Stats.InForceOn; on.Of > 0 {
		text += fmt.Sprintf(" on %d of %d open connections", on.Connections, on.Of)
		if on.Left > 0 {
			text += fmt.Sprintf(", of which %d are left in the process before a restart", on.Left)
		}
	}
	if did := s.Stats.Did(); did != "" {
		text += "; " + did
	}
	return text
}

// Delete takes the fault out.
func (p proxyControl) Delete(ctx context.Context, id, run string) error {
	_, err := p.client.Retract(ctx, id, run)
	return translate(err)
}

// Own makes a proxy belong to a run.
func (p proxyControl) Own(ctx context.Context, name, run string, expires time.Duration, keep bool) ([]mishap.Disturbance, error) {
	asked := time.Now()
	owned, err := p.client.Own(ctx, name, registry.Owner{Run: run, Expires: min(expires, fault.MaxExpires), Renew: keep})
	switch {
	case errors.Is(err, control.ErrOwned):
		return nil, fmt.Errorf("%w: %w", mishap.ErrTaken, err)
	case errors.Is(err, control.ErrNotFound): // there is no such call
		return nil, mishap.WithHint(fmt.Errorf("proxy %s does not know to which run it belongs: it is of an earlier version", name), "let it start anew")
	}
	var all []mishap.Disturbance
	for _, d := range owned.Disturbed {
		all = append(all, mishap.Disturbance{By: d.By, What: d.What, Since: asked.Add(-time.Duration(d.Ago))})
	}
	return all, translate(err)
}

// Disown gives a proxy back.
func (p proxyControl) Disown(ctx context.Context, name, run string) error {
	_, err := p.client.Disown(ctx, name, run)
	return translate(err)
}

// translate says a proxy's errors in the injectors' words.
func translate(err error) error {
	switch {
	case errors.Is(err, control.ErrNotRunning):
		return fmt.Errorf("%w: %w", proxyfault.ErrDown, err)
	case errors.Is(err, control.ErrOlder):
		return fmt.Errorf("%w: %w", proxyfault.ErrOlder, err)
	case errors.Is(err, control.ErrNotFound), errors.Is(err, control.ErrEnded):
		return fmt.Errorf("%w: %w", proxyfault.ErrFaultOver, err)
	}
	return err
}
